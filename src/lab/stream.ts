import {join} from 'node:path'
import {DecodeError} from '../errors.js'
import {startChild} from '../os/child.js'
import {packageRoot} from '../os/package-root.js'
import {namespaces} from './layout.js'

/** What became of a long-lived connection: lines sent, echoed, lost, doubled, and the pauses over 150 ms. */
export interface StreamSummary {
  readonly sent: number
  readonly received: number
  readonly lost: number
  readonly doubled: number
  readonly outOfOrder: number
  readonly resets: number
  readonly maxWaitMs: number
  readonly gaps: ReadonlyArray<{readonly afterLine: number; readonly ms: number; readonly atMs: number}>
  readonly error: string | null
}

export interface Stream {
  /** ends the connection when all that is under way has come back */
  stop(): Promise<StreamSummary>
  kill(): Promise<void>
}

/** Opens one TCP connection from the lab's client to the guest's echo service; a numbered line every 50 ms. */
export async function openStream(address: string): Promise<Stream> {
  const program = join(packageRoot(), 'templates', 'lab', 'stream-client.mjs')
  const child = await startChild(['ip', 'netns', 'exec', namespaces.client, process.execPath, program, address, '7'])
  const first = await child.nextLine(20_000)
  if (first !== 'connected') throw new DecodeError({source: 'stream client', path: 'first line', expected: 'connected'})
  return {
    stop: async () => {
      child.write('stop\n')
      const summary = JSON.parse(await child.nextLine(75_000)) as StreamSummary
      await child.end()
      return summary
    },
    kill: () => child.end(),
  }
}
