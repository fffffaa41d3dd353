import type {Files} from '../os/files.js'

/** What `writeAtomic` leaves of a file when the agent is killed in its middle. */
const halfWritten = /\.[0-9a-f]{12}\.tmp$/

/** Removes what an agent that was killed had not written to the end. Files written since `beganMs` (wall clock) are of this one's own. */
export async function sweep(files: Files, directory: string, beganMs: number): Promise<void> {
  const names = (await files.list(directory)).filter((name) => halfWritten.test(name))
  await Promise.all(
    names.map(async (name) => {
      const path = `${directory}/${name}`
      const found = await files.stat(path)
      if (found !== undefined && Number(BigInt(found.modifiedNs) / 1_000_000n) < beganMs) await files.remove(path)
    }),
  )
}
