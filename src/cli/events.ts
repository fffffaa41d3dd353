import type {RecordedEvent} from '../agent/protocol.js'
import {ColoError, NotFoundError, UnreachableError} from '../errors.js'
import type {OperationContext} from '../operation/context.js'
import {UnseenPairError} from '../operation/sides.js'
import {plainText, renderTable} from '../ui/table.js'
import {formatInstant} from '../ui/time.js'

/** One event, and the host whose agent recorded it. */
export interface HostEvent extends RecordedEvent {
  readonly host: string
}

/** What `colo pair events --json` prints. */
export interface PairEventsDocument {
  readonly pair: string
  /** oldest first */
  readonly events: readonly HostEvent[]
  /** hosts that did not answer */
  readonly silent: ReadonlyArray<{readonly host: string; readonly problem: string}>
}

const readLimitMs = 10_000
/** An agent answers a follower only at its end; the limit is what a timer can hold. */
const followLimitMs = 2 ** 31 - 1

/**
 * Reads the events of a pair from every host of the inventory.
 *
 * @throws {UnreachableError} when no host answers; {NotFoundError} when none of them knows the pair
 */
export async function readEvents(context: OperationContext, pair: string): Promise<PairEventsDocument> {
  const answers = await Promise.all(
    context.inventory.hosts.map(async (entry) => {
      try {
        const client = await context.connect(entry, context.signal)
        try {
          const {events} = await client.call('events.read', {pair}, {timeoutMs: readLimitMs, signal: context.signal})
          return {host: entry.name, events}
        } finally {
          client.close()
        }
      } catch (error) {
        // an agent's own error keeps its code, not its class
        if (error instanceof ColoError && error.code === 'not-found') return {host: entry.name, events: []}
        if (error instanceof ColoError && !context.signal.aborted) return {host: entry.name, problem: error.message}
        throw error
      }
    }),
  )
  const silent = answers.flatMap(({host, problem}) => (problem === undefined ? [] : [{host, problem}]))
  const events = answers.flatMap(({host, events: recorded = []}) => recorded.map((event) => ({...event, host})))
  if (events.length === 0) throw nothingFound(pair, silent, answers.length)
  return {
    pair,
    events: [...events].sort((a, b) => a.atMs - b.atMs || a.host.localeCompare(b.host) || a.seq - b.seq),
    silent,
  }
}

/** Hands every new event of every host that answered to `print`; settles on interrupt, which is how a follower ends. */
export async function followEvents(
  context: OperationContext,
  from: PairEventsDocument,
  print: (event: HostEvent) => void,
): Promise<void> {
  const silent = new Set(from.silent.map(({host}) => host))
  const hosts = context.inventory.hosts.filter(({name}) => !silent.has(name))
  await Promise.all(
    hosts.map(async (entry) => {
      const sinceSeq = Math.max(0, ...from.events.filter(({host}) => host === entry.name).map(({seq}) => seq))
      try {
        const client = await context.connect(entry, context.signal)
        const options = {timeoutMs: followLimitMs, signal: context.signal}
        const onEvent = (event: RecordedEvent): void => print({...event, host: entry.name})
        await client.call('events.read', {pair: from.pair, sinceSeq, follow: true}, {...options, onEvent})
      } catch (error) {
        // a host of the inventory that has no part in the pair has nothing to follow
        if (context.signal.aborted || (error instanceof ColoError && error.code === 'not-found')) return
        throw error
      }
    }),
  )
}

/** @param folded  stops and resumes in a row, as of checkpoints, are one line */
export function eventTable(events: readonly HostEvent[], {folded}: {readonly folded: boolean}): string {
  return renderTable<Row>(
    [
      {title: 'TIME (UTC)', value: ({atMs}) => formatInstant(atMs)},
      {title: 'HOST', value: ({host}) => host},
      {title: 'EVENT', value: ({type}) => type},
      {title: 'DETAIL', value: ({detail}) => detail},
    ],
    folded ? runsOf(events).flatMap(rowsOf) : events.map(rowOf),
  )
}

interface Row {
  readonly atMs: number
  readonly host: string
  readonly type: string
  readonly detail: string
}

const rowOf = (event: HostEvent): Row => ({...event, detail: dataText(event)})
/** Fewer in a row are as well shown one by one. */
const foldedFrom = 5

/** A row for what happened often, which bears the time of the last. */
function rowsOf(run: readonly HostEvent[]): Row[] {
  const [first, last] = [run[0], run.at(-1)]
  if (first === undefined || last === undefined || run.length < foldedFrom) return run.map(rowOf)
  const hosts = [...new Set(run.map(({host}) => host))].sort().join(' ')
  const detail = `${run.length} of STOP and RESUME since ${formatInstant(first.atMs)}`
  return [{atMs: last.atMs, host: hosts, type: 'checkpoints', detail}]
}

/** Neighbours that are stops or resumes without a word, together; each other event by itself. */
function runsOf(events: readonly HostEvent[]): HostEvent[][] {
  const runs: HostEvent[][] = []
  const isBeat = ({type}: HostEvent): boolean => type === 'STOP' || type === 'RESUME'
  for (const event of events) {
    const run = runs.at(-1)
    if (run?.[0] !== undefined && isBeat(run[0]) && isBeat(event)) run.push(event)
    else runs.push([event])
  }
  return runs
}

export function eventLine(event: HostEvent): string {
  return `${formatInstant(event.atMs)}  ${event.host}  ${plainText(event.type)}  ${dataText(event)}`.trimEnd()
}

function dataText({data}: HostEvent): string {
  return Object.entries(data)
    .map(([key, value]) => `${key}=${plainText(typeof value === 'string' ? value : JSON.stringify(value))}`)
    .join(' ')
}

function nothingFound(pair: string, silent: PairEventsDocument['silent'], asked: number): ColoError {
  const [first] = silent
  if (first === undefined)
    return new NotFoundError(`no host has events of a pair named ${pair}`, {hint: 'see `colo pair list`'})
  const cause = new UnreachableError(first.host, first.problem)
  const names = silent.map(({host}) => host)
  return silent.length === asked ? cause : new UnseenPairError(pair, names, cause)
}
