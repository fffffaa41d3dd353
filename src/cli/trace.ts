import type {OperationContext} from '../operation/context.js'
import {clientsOf, findPair} from '../operation/sides.js'
import type {Tracing} from '../stats/member-stats.js'

/** The document of `colo pair trace --json`. */
export interface TraceDocument {
  readonly pair: string
  readonly hosts: ReadonlyArray<{readonly host: string; readonly tracing: Tracing}>
}

const limitMs = 10_000

/** Switches the traces of every member whose QEMU runs. @throws what a host refuses; the other one keeps what it has */
export async function setTracing(context: OperationContext, pair: string, tracing: Tracing): Promise<TraceDocument> {
  const found = await findPair(context, pair)
  try {
    const running = found.sides.filter(
      (side) => 'member' in side && (tracing === 'off' || side.member.qmp === 'connected'),
    )
    const hosts = await Promise.all(
      [...clientsOf(running)].map(async ([host, client]) => {
        const set = await client.call('trace.set', {pair, tracing}, {timeoutMs: limitMs, signal: context.signal})
        return {host, tracing: set.tracing}
      }),
    )
    const [first] = found.sides.flatMap((side) => ('problem' in side ? [side.problem] : []))
    if (hosts.length === 0 && first !== undefined) throw first
    return {pair, hosts}
  } finally {
    found.close()
  }
}
