import type {Clock} from '../os/clock.js'
import type {AgentClient} from './agent-client.js'
import type {ClockReading, HostFacts} from './facts.js'

/** Longer than the slowest probe of an agent. */
const FACTS_MS = 30_000
const CLOCK_MS = 3000

export interface FetchFactsOptions {
  readonly clock: Clock
  readonly signal?: AbortSignal | undefined
  /** paths to look at, from `pathsToProbe` or `hostPathsToProbe` */
  readonly paths?: readonly string[]
}

/**
 * Asks an agent for everything about its host, after measuring its clock with a call that takes no time.
 *
 * @throws {TimedOutError} and {UnreachableError} as `AgentClient.call`
 */
export async function fetchHostFacts(client: AgentClient, options: FetchFactsOptions): Promise<HostFacts> {
  const {clock, signal, paths = []} = options
  const sent = clock.now()
  const startedMs = clock.monotonic()
  const {atMs} = await client.call('host.facts', {want: ['none']}, {timeoutMs: CLOCK_MS, ...(signal && {signal})})
  const reading = readClock({sentMs: sent, roundTripMs: clock.monotonic() - startedMs, atMs})
  const {answerTimeoutMs} = client
  const params = {images: paths, ...(answerTimeoutMs === undefined ? {} : {withinMs: answerTimeoutMs})}
  const facts = await client.call('host.facts', params, {timeoutMs: FACTS_MS, ...(signal && {signal})})
  return {...facts, clock: reading}
}

/** The host read its clock at some moment of the round trip: in its middle, plus or minus half of it. */
export function readClock(call: {
  readonly sentMs: number
  readonly roundTripMs: number
  readonly atMs: number
}): ClockReading {
  const {sentMs, roundTripMs, atMs} = call
  return {offsetMs: atMs - (sentMs + roundTripMs / 2), uncertaintyMs: roundTripMs / 2 + 1}
}
