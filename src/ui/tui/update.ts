import type {FleetMessage} from '../../operation/fleet-messages.js'
import {merged} from '../../stats/stream.js'
import {addSample} from '../../stats/transfer.js'
import {questionDialog} from './dialog.js'
import {noted, pressed} from './keys.js'
import type {ActionView, Data, HostView, Message, Model, PairView, Step} from './model.js'

/** How many events of a pair's log are kept. */
const keptEvents = 500
/** how long an action that went well stays on the screen */
const doneShownMs = 15_000

/** The whole behaviour of `colo top`: what comes in, and what is then shown and done. Pure. */
export function update(model: Model, message: Message): Step {
  switch (message.kind) {
    case 'key':
      return pressed(model, message.key)
    case 'tick':
      return only(ticked(model, message.nowMs))
    case 'resize':
      return only({...model, columns: message.columns, rows: message.rows})
    case 'question':
      return only({...model, dialog: questionDialog(message.id, message.pair, message.text, message.expected)})
    case 'action':
      return only(actionChanged(model, message.id, message.change))
    case 'host':
    case 'observed':
    case 'gone':
    case 'stats':
    case 'event':
      return only({...model, data: told(model.data, message, model.nowMs)})
  }
}

function ticked(model: Model, nowMs: number): Model {
  const actions = model.actions.filter(
    ({state, endedAtMs}) => state !== 'done' || endedAtMs === undefined || nowMs - endedAtMs < doneShownMs,
  )
  const note = model.note !== undefined && model.note.untilMs > nowMs ? model.note : undefined
  return {...model, nowMs, actions, note, data: {...model.data, atMs: nowMs}}
}

function told(data: Data, message: FleetMessage, nowMs: number): Data {
  switch (message.kind) {
    case 'host':
      return {
        ...data,
        hosts: new Map(data.hosts).set(message.host, hostTold(data.hosts.get(message.host), message, nowMs)),
      }
    case 'observed': {
      const pairs = new Map(data.pairs)
      for (const {status, members} of message.pairs) {
        const known = pairs.get(status.pair) ?? unknownPair(status.pair)
        const {resync} = status
        const samples = resync === undefined ? [] : addSample(known.resync, {atMs: nowMs, ...resync})
        pairs.set(status.pair, {...known, status, members, resync: samples})
      }
      return {...data, pairs}
    }
    case 'gone': {
      const pairs = new Map(data.pairs)
      for (const name of message.pairs) pairs.delete(name)
      return {...data, pairs}
    }
    case 'stats':
      return withStats(data, message)
    case 'event':
      return {...data, log: [...data.log.slice(1 - keptEvents), {...message.event, host: message.host}]}
  }
}

function hostTold(known: HostView | undefined, message: FleetMessage & {kind: 'host'}, nowMs: number): HostView {
  const {host: name, state} = message
  return {
    name,
    state,
    sinceMs: known?.state === state ? known.sinceMs : nowMs,
    problem: message.problem,
    version: message.version ?? known?.version,
    startedAtMs: message.startedAtMs ?? known?.startedAtMs,
    offsetMs: known?.offsetMs ?? 0,
  }
}

function withStats(data: Data, {host, offsetMs, updates}: FleetMessage & {kind: 'stats'}): Data {
  const pairs = new Map(data.pairs)
  for (const each of updates) {
    const known = pairs.get(each.pair) ?? unknownPair(each.pair)
    const stats = merged(known.stats.get(host), each)
    if (stats !== undefined) pairs.set(each.pair, {...known, stats: new Map(known.stats).set(host, stats)})
  }
  const view = data.hosts.get(host)
  const moved = view !== undefined && Math.abs(view.offsetMs - offsetMs) > 20
  return {...data, pairs, hosts: moved ? new Map(data.hosts).set(host, {...view, offsetMs}) : data.hosts}
}

function unknownPair(name: string): PairView {
  return {name, status: undefined, members: [], stats: new Map(), resync: []}
}

function actionChanged(model: Model, id: number, change: Partial<ActionView>): Model {
  const actions = model.actions.map((action) => {
    if (action.id !== id) return action
    const ended = change.state !== undefined && change.state !== 'running'
    return {...action, ...change, endedAtMs: ended ? model.nowMs : action.endedAtMs}
  })
  const ended = actions.find((action) => action.id === id && action.state !== 'running')
  const changed = {...model, actions}
  return ended === undefined || change.state === undefined ? changed : noted(changed, `${ended.title}: ${ended.state}`)
}

function only(model: Model): Step {
  return {model, effects: []}
}
