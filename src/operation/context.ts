import type {AgentClient} from '../host/agent-client.js'
import type {Clock} from '../os/clock.js'
import type {HostEntry, Inventory} from '../pair/inventory.js'
import type {CommandOrigin, StepProgress} from '../agent/protocol.js'
import type {Plan} from '../plan/plan.js'

/** What every operation on pairs gets from the command: hosts, time, ids, and how to talk to the person. */
export interface OperationContext {
  readonly inventory: Inventory
  /** @throws {UnreachableError} after the connection's limit */
  readonly connect: (host: HostEntry, signal?: AbortSignal) => Promise<AgentClient>
  readonly clock: Clock
  /** a fresh random id (UUID) */
  readonly newId: () => string
  /** a fresh secret: 32 random bytes, hex */
  readonly newKey: () => string
  /** who runs this, for locks and the audit line: `root@adminhost pid 4711` */
  readonly owner: string
  /** the same in detail, for the audit logs of the hosts */
  readonly origin?: CommandOrigin
  /** aborted by the first Ctrl-C or SIGTERM */
  readonly signal: AbortSignal
  readonly progress: ProgressSink
  readonly confirm: Confirm
}

/** Receives what a running plan does; the command draws it. */
export interface ProgressSink {
  planned(plan: Plan): void
  step(host: string, progress: StepProgress): void
  /** a short line that is not part of a step */
  note(text: string): void
}

/** A question that may end something; answered by typing `expected` (the pair's name), by `--yes`, or by named `--force` words. */
export interface Question {
  readonly text: string
  readonly expected: string
  /** the word of `--force WORD` that stands for this question when there is no terminal; without it `--yes` is enough */
  readonly force?: string
}

/** Settles when confirmed. @throws {RefusedError} when not, with what to type or which flags to give */
export type Confirm = (question: Question) => Promise<void>
