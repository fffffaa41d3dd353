import {readdir, readFile} from 'node:fs/promises'

/** A process that cannot be mistaken for a later one with the same number: field 22 of /proc/PID/stat, in clock ticks. */
export interface ProcessId {
  readonly pid: number
  readonly startTicks: number
}

/** Identifies a live process; undefined when it does not exist (any more), zombies included. */
export async function identify(pid: number): Promise<ProcessId | undefined> {
  const fields = await statOf(pid)
  return fields === undefined || fields.state === 'Z' ? undefined : {pid, startTicks: fields.startTicks}
}

/** Whether exactly this process, not a later one with its number, is alive. */
export async function isAlive(id: ProcessId): Promise<boolean> {
  return (await identify(id.pid))?.startTicks === id.startTicks
}

/** Sends a signal to exactly this process; false when it is gone. */
export async function signalProcess(id: ProcessId, signal: NodeJS.Signals): Promise<boolean> {
  if (!(await isAlive(id))) return false
  try {
    return process.kill(id.pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

/** Process numbers of the children of `pid`. */
export async function childrenOf(pid: number): Promise<number[]> {
  const numbers = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const parents = await Promise.all(numbers.map(async (number) => ({number, parent: (await statOf(number))?.parent})))
  return parents.filter(({parent}) => parent === pid).map(({number}) => number)
}

/** The fields behind the command name, which may itself hold blanks and brackets. */
async function statOf(pid: number): Promise<{state: string; parent: number; startTicks: number} | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return {state: fields[0] ?? '?', parent: Number(fields[1]), startTicks: Number(fields[19])}
  } catch {
    return undefined
  }
}
