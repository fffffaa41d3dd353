import type {Hello, Method, Params, RecordedEvent, Result, StepProgress} from '../agent/protocol.js'

export interface CallOptions {
  /** limit for the reply in milliseconds; progress lines do not extend it. 5000 unless told */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: StepProgress) => void
  readonly onEvent?: (event: RecordedEvent) => void
}

/** A connection to one host's agent; its locks end with it. */
export interface AgentClient {
  readonly host: string
  readonly hello: Hello
  /** no call is given up before, whatever limit it names: see `HostEntry` */
  readonly answerTimeoutMs?: number
  /**
   * @throws the agent's own error, rebuilt as a ColoError with the same code and exit status
   * @throws {UnreachableError} when the connection ends before the reply
   * @throws {TimedOutError} naming host, method and limit
   */
  call<M extends Method>(method: M, params: Params<M>, options?: CallOptions): Promise<Result<M>>
  close(): void
}

/** What an agent is asked for an observation: one of a slow host hears how much time it has. */
export function observeParams({answerTimeoutMs}: AgentClient, pair?: string): Params<'pairs.observe'> {
  return {
    ...(pair === undefined ? {} : {pair}),
    ...(answerTimeoutMs === undefined ? {} : {withinMs: answerTimeoutMs}),
  }
}
