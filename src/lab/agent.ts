import {existsSync} from 'node:fs'
import {readFile} from 'node:fs/promises'

/** `silent`: it does not run, or does not listen yet; `stopped`: held by SIGSTOP. */
export type AgentState = 'listening' | 'silent' | 'stopped' | 'not built'

/** Inside a host: where `colo-lab-agent` writes the agent's process number. */
export const agentPidFile = '/run/colo-lab/agent.pid'

/** What the agent of a running host does, read through /proc from outside. @param init PID 1 of the host */
export async function agentState(init: number): Promise<AgentState> {
  const root = `/proc/${init}/root`
  if (existsSync(`${root}/run/colo-lab/agent.missing`)) return 'not built'
  const process = await agentProcess(root)
  if (process === undefined) return 'silent'
  if (process.stopped) return 'stopped'
  return existsSync(`${root}/run/colo/agent.sock`) ? 'listening' : 'silent'
}

/** The host's own /proc knows whether the number still is the agent's. */
async function agentProcess(root: string): Promise<{readonly stopped: boolean} | undefined> {
  try {
    const pid = Number(await readFile(`${root}${agentPidFile}`, 'utf8'))
    const stat = await readFile(`${root}/proc/${pid}/stat`, 'utf8')
    const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3)
    const isAgent = (await readFile(`${root}/proc/${pid}/cmdline`, 'utf8')).includes('agent')
    return isAgent && state !== 'Z' ? {stopped: state === 'T'} : undefined
  } catch {
    return undefined
  }
}
