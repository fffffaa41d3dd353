import type {Clock} from '../os/clock.js'
import type {Run} from '../os/process.js'

export type Env = Readonly<Record<string, string | undefined>>

/** What each step of connecting may use. */
export interface ConnectContext {
  readonly host: string
  readonly clock: Clock
  readonly run: Run
  readonly env: Env
  readonly signal: AbortSignal | undefined
  /** see `HostEntry` */
  readonly answerTimeoutMs: number | undefined
  /** milliseconds until the overall limit, at least 1 */
  leftMs(): number
}

export function agentRemedy(host: string): string {
  return `start it on ${host}: \`systemctl start colo-agent\` (\`colo agent\` without systemd)`
}

export function hungAgentRemedy(host: string): string {
  return `the agent hangs or is overloaded; \`systemctl restart colo-agent\` on ${host} does not touch the guests`
}
