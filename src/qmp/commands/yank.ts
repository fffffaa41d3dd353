import {field, listOf, nothing, record, text, type Decoder} from '../decode.js'
import {call, type CallOptions, type QmpExecutor} from './call.js'

/** A connection that can be cut, spelled as QEMU does. */
export type YankInstance =
  | {readonly type: 'block-node'; readonly 'node-name': string}
  | {readonly type: 'chardev'; readonly id: string}
  | {readonly type: 'migration'}

const type = record<{type: string}>({type: field('type', text)})
const blockNode = record<{'node-name': string}>({'node-name': field('node-name', text)})
const chardev = record<{id: string}>({id: field('id', text)})

const yankInstance: Decoder<YankInstance | undefined> = (value, at) => {
  switch (type(value, at).type) {
    case 'block-node':
      return {type: 'block-node', ...blockNode(value, at)}
    case 'chardev':
      return {type: 'chardev', ...chardev(value, at)}
    case 'migration':
      return {type: 'migration'}
    default:
      return undefined // a kind a newer QEMU has: not ours, and no reason to fail a failover
  }
}

/** Which connections exist now; also the monitors' own, which must not be cut. Works out of band. */
export async function queryYank(qmp: QmpExecutor, options?: CallOptions): Promise<readonly YankInstance[]> {
  const instances = await call(qmp, {name: 'query-yank', returns: listOf(yankInstance)}, options)
  return instances.filter((instance) => instance !== undefined)
}

/**
 * Cuts connections, so that commands waiting for a hung peer return. Send it out of band.
 *
 * One instance QEMU does not know fails the whole call (DeviceNotFound): name only those {@link queryYank} lists.
 */
export function yank(qmp: QmpExecutor, instances: readonly YankInstance[], options?: CallOptions): Promise<void> {
  return call(qmp, {name: 'yank', args: {instances}, returns: nothing}, options)
}
