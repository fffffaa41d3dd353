import type {RecordedEvent} from '../../agent/protocol.js'
import type {FleetMessage} from '../../operation/fleet-messages.js'
import type {MemberObservation} from '../../pair/observation.js'
import type {PairStatus} from '../../pair/status.js'
import type {MemberStats} from '../../stats/member-stats.js'
import type {TransferSample} from '../../stats/transfer.js'
import type {SortKey} from './columns.js'

/** Everything `colo top` knows and shows. Values only: `update` makes a new one, views draw it. */
export interface Model {
  readonly nowMs: number
  readonly columns: number
  readonly rows: number
  readonly settings: Settings
  /** names given on the command line; empty: all pairs */
  readonly only: readonly string[]
  readonly data: Data
  /** what is drawn instead of `data` after Tab */
  readonly frozen: Data | undefined
  readonly place: Place
  readonly selected: string | undefined
  /** first line shown of a detail or the help */
  readonly scroll: number
  readonly help: boolean
  readonly filter: string
  /** the filter being typed */
  readonly typing: string | undefined
  readonly problemsOnly: boolean
  readonly sort: {readonly key: SortKey; readonly reverse: boolean}
  readonly dialog: Dialog | undefined
  readonly actions: readonly ActionView[]
  readonly nextId: number
  readonly note: {readonly text: string; readonly untilMs: number} | undefined
}

export interface Settings {
  readonly readOnly: boolean
  readonly ascii: boolean
  readonly intervalMs: number
}

export type Place =
  {readonly kind: 'list'} | {readonly kind: 'hosts'} | {readonly kind: 'detail'; readonly pair: string}

/** What the agents told. */
export interface Data {
  readonly atMs: number
  readonly pairs: ReadonlyMap<string, PairView>
  readonly hosts: ReadonlyMap<string, HostView>
  /** events of the pair whose detail is open, newest last */
  readonly log: readonly LogEntry[]
}

export interface LogEntry extends RecordedEvent {
  readonly host: string
}

export interface PairView {
  readonly name: string
  readonly status: PairStatus | undefined
  readonly members: readonly MemberObservation[]
  /** by host */
  readonly stats: ReadonlyMap<string, MemberStats>
  readonly resync: readonly TransferSample[]
}

export interface HostView {
  readonly name: string
  readonly state: 'connecting' | 'up' | 'lost'
  readonly sinceMs: number
  readonly problem: string | undefined
  readonly version: string | undefined
  readonly startedAtMs: number | undefined
  /** that host's clock minus ours, milliseconds */
  readonly offsetMs: number
}

export interface ActionView {
  readonly id: number
  readonly pair: string
  readonly title: string
  readonly state: 'running' | 'done' | 'failed'
  readonly startedAtMs: number
  readonly endedAtMs: number | undefined
  /** the step under way, or how it ended */
  readonly text: string
  readonly steps: {readonly done: number; readonly total: number}
}

export const actionKinds = ['failover', 'test-failover', 'checkpoint', 'resync', 'suspend', 'resume'] as const
export type ActionKind = (typeof actionKinds)[number]

/** A question before something is done. The focus is on Cancel; what ends a copy needs the pair's name typed. */
export interface Dialog {
  readonly title: string
  /** what will happen */
  readonly text: readonly string[]
  readonly confirm: string
  /** the name to type; undefined: a button is enough */
  readonly expected: string | undefined
  readonly typed: string
  readonly focus: 'cancel' | 'confirm'
  /** why the last try did nothing */
  readonly problem: string | undefined
  readonly purpose:
    | {readonly kind: 'start'; readonly action: ActionKind; readonly pair: string}
    | {readonly kind: 'answer'; readonly id: number}
}

export interface Key {
  /** `up`, `enter`, `escape`, `tab`, `f1`, `C-c`, or the character itself */
  readonly name: string
  /** the character, when the key has one that can be typed */
  readonly char?: string
}

export type Message =
  | FleetMessage
  | {readonly kind: 'key'; readonly key: Key}
  | {readonly kind: 'tick'; readonly nowMs: number}
  | {readonly kind: 'resize'; readonly columns: number; readonly rows: number}
  /** the running operation asks: only a person's word goes on */
  | {
      readonly kind: 'question'
      readonly id: number
      readonly pair: string
      readonly text: string
      readonly expected: string
    }
  | {
      readonly kind: 'action'
      readonly id: number
      readonly change: Partial<Pick<ActionView, 'state' | 'text' | 'steps'>>
    }

/** What the model wants done; the application does it. */
export type Effect =
  | {readonly kind: 'quit'}
  | {readonly kind: 'run'; readonly id: number; readonly action: ActionKind; readonly pair: string}
  | {readonly kind: 'answer'; readonly id: number; readonly yes: boolean}
  /** the pair whose events and observations are wanted often */
  | {readonly kind: 'focus'; readonly pair: string | undefined}
  | {readonly kind: 'interval'; readonly intervalMs: number}

export interface Step {
  readonly model: Model
  readonly effects: readonly Effect[]
}

export interface Start extends Settings {
  readonly nowMs: number
  readonly columns: number
  readonly rows: number
  readonly only: readonly string[]
  readonly place: Place
  readonly hosts: readonly string[]
}

export function initialModel(start: Start): Model {
  const {nowMs, columns, rows, only, place, readOnly, ascii, intervalMs} = start
  const hosts = start.hosts.map((name): [string, HostView] => [
    name,
    {
      name,
      state: 'connecting',
      sinceMs: nowMs,
      problem: undefined,
      version: undefined,
      startedAtMs: undefined,
      offsetMs: 0,
    },
  ])
  return {
    nowMs,
    columns,
    rows,
    settings: {readOnly, ascii, intervalMs},
    only,
    data: {atMs: nowMs, pairs: new Map(), hosts: new Map(hosts), log: []},
    frozen: undefined,
    place,
    selected: undefined,
    scroll: 0,
    help: false,
    filter: '',
    typing: undefined,
    problemsOnly: false,
    sort: {key: 'pair', reverse: false},
    dialog: undefined,
    actions: [],
    nextId: 1,
    note: undefined,
  }
}

/** What is drawn. */
export function shownData(model: Model): Data {
  return model.frozen ?? model.data
}
