import {setMaxListeners} from 'node:events'
import {NotFoundError, UnreachableError} from '../errors.js'
import type {OperationContext} from '../operation/context.js'
import {Fleet} from '../operation/fleet.js'
import {UnseenPairError} from '../operation/sides.js'
import {pairStats, sidesOf, type PairStats} from '../stats/pair-stats.js'
import type {PairStatus} from '../pair/status.js'
import {initialModel, type Message, type Model} from '../ui/tui/model.js'
import {update} from '../ui/tui/update.js'
import {plainView} from '../ui/tui/view.js'
import type {TopSettings} from './top.js'

/** What `colo top --json` prints. */
export interface TopDocument {
  readonly pairs: ReadonlyArray<{readonly pair: string; readonly status?: PairStatus; readonly stats: PairStats}>
  readonly hosts: ReadonlyArray<{readonly host: string; readonly state: string; readonly problem?: string}>
}

/** How long hosts are waited for before the first screen, milliseconds. */
const firstMs = 6000

/**
 * The same model and view without a terminal: `count` screens (0: without end), one per interval.
 *
 * @returns the last state as a document
 * @throws {NotFoundError} when the hosts have answered and none knows a pair that was asked for; {UnseenPairError} when a silent one may
 */
export async function runPlain(
  {context, settings}: {readonly context: OperationContext; readonly settings: TopSettings},
  {
    count,
    size,
    print,
  }: {readonly count: number; readonly size: {columns: number; rows: number}; readonly print: (text: string) => void},
): Promise<TopDocument> {
  const {clock} = context
  const hosts = context.inventory.hosts.map(({name}) => name)
  let model = initialModel({...settings, ...size, readOnly: true, nowMs: clock.now(), hosts})
  let told = (): void => undefined
  const dispatch = (message: Message): void => {
    ;({model} = update(model, message))
    told()
  }
  const end = new AbortController()
  const signal = AbortSignal.any([context.signal, end.signal])
  setMaxListeners(0, signal)
  const fleet = new Fleet(context, {intervalMs: settings.intervalMs, emit: dispatch})
  if (settings.place.kind === 'detail') fleet.focus(settings.place.pair)
  const running = fleet.run(signal)
  // a signal of AbortSignal.timeout that nothing but AbortSignal.any knows may be collected, and then never fires (Node 20)
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(), firstMs)
  const late = AbortSignal.any([signal, limit.signal])
  late.addEventListener('abort', () => told(), {once: true})
  try {
    while (!isComplete(model) && !late.aborted) {
      await new Promise<void>((resolve) => {
        told = resolve
      })
    }
    if (!signal.aborted) requirePairs(model)
    for (let n = 0; !signal.aborted; n++) {
      // the pair's own counters come a moment after the first picture
      await clock
        .sleep(n === 0 ? Math.min(300, settings.intervalMs) : settings.intervalMs, signal)
        .catch(() => undefined)
      dispatch({kind: 'tick', nowMs: clock.now()})
      print(plainView(model))
      if (count !== 0 && n + 1 >= count) break
    }
    return documentOf(model)
  } finally {
    clearTimeout(timer)
    end.abort()
    fleet.focus(undefined)
    await running
  }
}

/** Every host answered or is lost, and the pairs of those are known: the fleet tells of them together with their hosts. */
function isComplete({data}: Model): boolean {
  const isHeard = [...data.hosts.values()].every(({state}) => state !== 'connecting')
  return isHeard && [...data.pairs.values()].every(({status}) => status !== undefined)
}

function requirePairs({data, only}: Model): void {
  const missing = only.find((name) => !data.pairs.has(name))
  if (missing === undefined) return
  const silent = [...data.hosts.values()].filter(({state}) => state !== 'up')
  const [first] = silent
  if (first === undefined) {
    throw new NotFoundError(`no host knows a pair named ${missing}`, {hint: 'see `colo pair list`'})
  }
  const names = silent.map(({name}) => name)
  throw new UnseenPairError(missing, names, new UnreachableError(first.name, first.problem ?? 'no answer yet'))
}

function documentOf({data, only}: Model): TopDocument {
  const pairs = [...data.pairs.values()].filter(({name}) => only.length === 0 || only.includes(name))
  return {
    pairs: pairs
      .sort((a, b) => a.name.localeCompare(b.name))
      .map(({name, status, stats}) => ({
        pair: name,
        ...(status === undefined ? {} : {status}),
        stats: pairStats(sidesOf(name, [...stats.values()])),
      })),
    hosts: [...data.hosts.values()].map(({name, state, problem}) => ({
      host: name,
      state,
      ...(problem === undefined ? {} : {problem}),
    })),
  }
}
