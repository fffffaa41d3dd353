import type {Clock} from '../os/clock.js'
import type {Files} from '../os/files.js'
import type {Run} from '../os/process.js'
import type {CleanStop} from '../pair/clean-stop.js'
import type {PairLayout} from '../pair/layout.js'
import type {PairRecord} from '../pair/record.js'
import type {RecordChange} from '../plan/action.js'
import type {Forwarding} from './forwarding.js'
import type {QmpSession} from '../qmp/session.js'

/** What an action may use: the pair's durable record, its QEMU, and the host. Made by the step runner, faked in tests. */
export interface ActionContext {
  readonly pair: string
  readonly layout: PairLayout
  readonly run: Run
  readonly files: Files
  readonly clock: Clock
  /** aborted when the command goes away before the point of no return, or the agent ends */
  readonly signal: AbortSignal
  /** aborted when the command goes away, also in the step that is the point of no return: ends a wait for what may never happen */
  readonly gone?: AbortSignal
  /** one line of progress, with bytes where they are known */
  report(text: string, bytes?: {readonly done: number; readonly total: number}): void
  readonly record: RecordAccess
  readonly vm: VmAccess
  readonly forwarding: Pick<Forwarding, 'present' | 'absent' | 'release' | 'claim' | 'proven' | 'observe' | 'perform'>
}

/** The pair's record on this host; each change is fsynced before the promise settles. */
export interface RecordAccess {
  read(): Promise<PairRecord | undefined>
  create(record: PairRecord): Promise<void>
  change(change: RecordChange & {readonly images?: PairRecord['images']}): Promise<PairRecord>
  remove(): Promise<void>
}

/** The pair's QEMU as its keeper holds it. */
export interface VmAccess {
  /**
   * The held session on `agent.qmp`, connected and negotiated.
   *
   * @throws {QmpConnectError} when the domain is absent, QmpTimeoutError when it hangs
   */
  qmp(): Promise<QmpSession>
  /** Opens `yank.qmp` with oob, runs `body`, closes it. */
  withYank<R>(body: (session: QmpSession) => Promise<R>): Promise<R>
  /** Starts holding the session of a domain just created; the events from here on are recorded. */
  attach(timeoutMs: number): Promise<void>
  /** Lets go of it: the domain is about to be ended on purpose, its end is not a fault. */
  release(): Promise<void>
  /** Completed checkpoints (STOP and RESUME) since COLO began on this side. */
  checkpoints(): number
  /** Settles when more than `after` checkpoints were completed. @throws {TimedOutError} */
  awaitCheckpoint(after: number, timeoutMs: number): Promise<void>
  /** Notes the NBD connections in use now as those of the protection; clears latched facts. @throws {StateError} when one is missing */
  beginProtection(): Promise<void>
  /** From now on losing the peer is expected (a failover or a planned end runs): nothing is latched any more. */
  endProtection(): Promise<void>
  /** The guest's power is being cut: it stands still and its disks were flushed. */
  powerCut(): void
  /** Settles when the agent has noted a clean stop of this side. @throws {StateError} when QEMU ended otherwise, {TimedOutError} */
  stopped(timeoutMs: number, signal: AbortSignal): Promise<CleanStop>
  /** Settles when the peer's agent has said that its side, the primary, was stopped cleanly. @throws {TimedOutError} */
  peerStopped(timeoutMs: number, signal: AbortSignal): Promise<CleanStop>
  /** Follows the invisible commit after a promotion in the background; settles after a first look. See the action `commit-follow`. */
  followCommit(): Promise<void>
}

/** What became of an action: `unchanged` when all was there already. */
export type ActionOutcome = 'changed' | 'unchanged'
