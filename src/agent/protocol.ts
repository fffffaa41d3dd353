import type {MemberObservation, LockHolder} from '../pair/observation.js'
import type {Plan, Step} from '../plan/plan.js'
import type {HostFacts} from '../host/facts.js'
import type {MemberStats, Tracing} from '../stats/member-stats.js'

/** Version of the agent's API; a command and an agent that differ in it do not work together. */
export const protocolVersion = 2

/** The agent's UNIX socket, root only (0600). Frames are JSON, one per line, UTF-8, at most 10 MB. */
export const agentSocketPath = '/run/colo/agent.sock'

/** Who changed what; rotated by logrotate. */
export const auditFile = '/var/log/colo/audit.log'

/** Command to agent. `id` is chosen by the command, unique on the connection. */
export interface Request<M extends Method = Method> {
  readonly id: number
  readonly method: M
  readonly params: Methods[M]['params']
}

/** Agent to command: progress lines of a request come before its one reply. */
export type Reply =
  | {readonly id: number; readonly result: unknown}
  | {readonly id: number; readonly error: RemoteError}
  | {readonly id: number; readonly progress: StepProgress}
  | {readonly id: number; readonly event: RecordedEvent}

/** A `ColoError` that crossed the wire. */
export interface RemoteError {
  readonly code: string
  readonly exit: number
  readonly message: string
  readonly hint?: string
  /** of steps.run: the step that failed */
  readonly step?: string
}

export interface StepProgress {
  readonly step: string
  readonly state: 'started' | 'running' | 'done' | 'unchanged' | 'failed' | 'undone'
  /** one line, for people: `12.5 MiB of 64 MiB, 30 MiB/s` */
  readonly text?: string
  readonly doneBytes?: number
  readonly totalBytes?: number
  /** host's wall clock */
  readonly atMs: number
}

export interface Hello {
  readonly protocol: number
  readonly version: string
  readonly host: string
  readonly startedAtMs: number
  readonly bootId: string
}

/** One recorded event of a pair, as kept in `events.jsonl`. */
export interface RecordedEvent {
  readonly seq: number
  readonly atMs: number
  readonly pair: string
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
}

/** A libvirt domain as an import sees it. */
export interface PlainDomain {
  readonly uuid: string
  /** libvirt's word: `running`, `shut off`, ... */
  readonly state: string
  /** `dumpxml --inactive --security-info`; of a transient domain the live definition */
  readonly xml: string
  readonly persistent: boolean
  readonly autostart: boolean
  readonly managedSave: boolean
  readonly snapshots: readonly string[]
  /** libvirt's backup checkpoints */
  readonly checkpoints: readonly string[]
}

/** Who gave a command, as far as its machine knows. */
export interface CommandOrigin {
  readonly user: string
  /** who became that user by sudo */
  readonly sudo?: string
  /** address of the ssh client whose login this is */
  readonly from?: string
  /** words of the command line, without secrets */
  readonly argv: readonly string[]
}

/** How a change of a pair went: `unfinished` when its command went away, or stopped after its point of no return. */
export type AuditResult = 'begun' | 'done' | 'taken back' | 'unfinished'

/** Every call of the API: parameters and result. A lock is held by the connection that took it and ends with it. */
export interface Methods {
  hello: {params: Record<string, never>; result: Hello}
  'pairs.list': {params: Record<string, never>; result: {pairs: readonly string[]}}
  /**
   * All pairs of the host, or one; unknown names give an observation without record.
   *
   * `withinMs`: so long the command waits; an agent may then wait longer for a slow toolstack
   */
  'pairs.observe': {params: {pair?: string; withinMs?: number}; result: {members: readonly MemberObservation[]}}
  'host.facts': {params: {want?: readonly string[]; images?: readonly string[]; withinMs?: number}; result: HostFacts}
  /** a libvirt domain by its name; undefined when libvirt knows none */
  'domain.read': {params: {domain: string}; result: {domain: PlainDomain | undefined}}
  /** @throws conflict with the holder's owner, purpose and start */
  'lock.acquire': {params: {pair: string; owner: string; purpose: string}; result: LockHolder}
  'lock.release': {params: {pair: string}; result: Record<string, never>}
  /** fsyncs the intent of a plan on this host; needs the lock */
  'intent.write': {
    params: {pair: string; plan: Plan; owner: string; origin?: CommandOrigin}
    result: Record<string, never>
  }
  'intent.read': {params: {pair: string}; result: {plan: Plan | undefined; done: readonly string[]; committed: boolean}}
  /** `result` is for the audit log; `done` unless told */
  'intent.clear': {params: {pair: string; result?: 'done' | 'taken back'}; result: Record<string, never>}
  /** runs steps in order, stops at the first failure; needs the lock; progress lines while it runs */
  'steps.run': {params: {pair: string; steps: readonly Step[]}; result: {done: readonly string[]}}
  /** runs the undo actions of the given steps in reverse order; collects failures */
  'steps.undo': {
    params: {pair: string; steps: readonly Step[]}
    result: {failures: readonly {step: string; message: string}[]}
  }
  /** tells this agent of a newer generation of the peer: a loser fences itself at once and is marked stale */
  'generation.learn': {
    params: {pair: string; generation: {epoch: number; id: string; ancestors: readonly string[]}; alone: boolean}
    result: {fenced: boolean}
  }
  /** pairs to be looked at since this host has booted; settles when the agent knows its pairs */
  'boot.read': {params: Record<string, never>; result: {waiting: readonly string[]}}
  /** why a copy was not started after the boot; without `boot` nothing is left to do */
  'boot.note': {params: {pair: string; boot?: {kind: 'wait' | 'leave'; why: string}}; result: Record<string, never>}
  'events.read': {
    params: {pair: string; sinceSeq?: number; follow?: boolean}
    result: {events: readonly RecordedEvent[]}
  }
  /**
   * Figures of all members, or of one. With `follow` the reply never comes: events of type `STATISTICS` carry `updates` (StatsUpdate),
   * an empty list when nothing is new, about every `intervalMs` (500 unless told), until the connection ends.
   */
  'stats.read': {
    params: {pair?: string; follow?: boolean; intervalMs?: number}
    result: {members: readonly MemberStats[]}
  }
  /** switches QEMU's own traces; takes no lock, the guest only grows slower */
  'trace.set': {params: {pair: string; tracing: Tracing}; result: {tracing: Tracing}}
}

export type Method = keyof Methods
export type Params<M extends Method> = Methods[M]['params']
export type Result<M extends Method> = Methods[M]['result']
