import {field, flag, integer, listOf, maybe, nothing, record, text} from '../decode.js'
import {call, present, type CallOptions, type QmpExecutor} from './call.js'

export interface BlockNode {
  readonly nodeName: string
  readonly driver: string
  /** what is open: a path, an NBD URI or a `json:` description */
  readonly file: string
  readonly readOnly: boolean
  readonly virtualSizeBytes: number
  /** by role, such as `children.1` or `file`; undefined on a QEMU that does not tell (7.2): use the graph */
  readonly children: ReadonlyArray<{readonly child: string; readonly nodeName: string | undefined}> | undefined
}

const blockNode = record<BlockNode>({
  nodeName: field('node-name', text),
  driver: field('drv', text),
  file: field('file', text),
  readOnly: field('ro', flag),
  virtualSizeBytes: (from, at) =>
    field('image', record<{size: number}>({size: field('virtual-size', integer)}))(from, at).size,
  children: maybe(
    'children',
    listOf(
      record<{child: string; nodeName: string | undefined}>({
        child: field('child', text),
        nodeName: maybe('node-name', text),
      }),
    ),
  ),
})

/** All nodes of the block graph, without the nested descriptions of their backing chains. */
export function queryNamedBlockNodes(qmp: QmpExecutor, options?: CallOptions): Promise<readonly BlockNode[]> {
  return call(qmp, {name: 'query-named-block-nodes', args: {flat: true}, returns: listOf(blockNode)}, options)
}

/** Nodes and the edges between them; ids are QEMU's, valid in this reply only. */
export interface BlockGraph {
  readonly nodes: ReadonlyArray<{readonly id: number; readonly type: string; readonly name: string}>
  readonly edges: ReadonlyArray<{readonly parent: number; readonly child: number; readonly name: string}>
}

const blockGraph = record<BlockGraph>({
  nodes: field(
    'nodes',
    listOf(
      record<{id: number; type: string; name: string}>({
        id: field('id', integer),
        type: field('type', text),
        name: field('name', text),
      }),
    ),
  ),
  edges: field(
    'edges',
    listOf(
      record<{parent: number; child: number; name: string}>({
        parent: field('parent', integer),
        child: field('child', integer),
        name: field('name', text),
      }),
    ),
  ),
})

/** The block graph with its edges; a debugging command that all versions have had since 4.0. */
export function queryBlockGraph(qmp: QmpExecutor, options?: CallOptions): Promise<BlockGraph> {
  return call(qmp, {name: 'x-debug-query-block-graph', returns: blockGraph}, options)
}

export interface BlockBackend {
  /** empty for a disk made with -blockdev */
  readonly device: string
  readonly qdev: string | undefined
  /** `ok`, `failed` or `nospace`; absent when the device does not track it */
  readonly ioStatus: string | undefined
  /** the root node; undefined when there is no medium */
  readonly nodeName: string | undefined
}

const inserted = record<{nodeName: string | undefined}>({nodeName: maybe('node-name', text)})
const blockBackend = record<BlockBackend>({
  device: field('device', text),
  qdev: maybe('qdev', text),
  ioStatus: maybe('io-status', text),
  nodeName: (from, at) => maybe('inserted', inserted)(from, at)?.nodeName,
})

/** The disks as the guest's devices see them. */
export function queryBlock(qmp: QmpExecutor, options?: CallOptions): Promise<readonly BlockBackend[]> {
  return call(qmp, {name: 'query-block', returns: listOf(blockBackend)}, options)
}

export interface BlockStats {
  readonly nodeName: string | undefined
  readonly readBytes: number
  readonly writtenBytes: number
  readonly reads: number
  readonly writes: number
  readonly flushes: number
}

const counters = record<Omit<BlockStats, 'nodeName'>>({
  readBytes: field('rd_bytes', integer),
  writtenBytes: field('wr_bytes', integer),
  reads: field('rd_operations', integer),
  writes: field('wr_operations', integer),
  flushes: field('flush_operations', integer),
})
const blockStats = record<{nodeName: string | undefined; stats: Omit<BlockStats, 'nodeName'>}>({
  nodeName: maybe('node-name', text),
  stats: field('stats', counters),
})

/**
 * Counters since the start of QEMU.
 *
 * @param of `devices`: what guests asked for; `nodes`: what each node of the graph did (only byte offsets on most drivers)
 */
export async function queryBlockstats(
  qmp: QmpExecutor,
  of: 'devices' | 'nodes',
  options?: CallOptions,
): Promise<readonly BlockStats[]> {
  const args = {'query-nodes': of === 'nodes'}
  const list = await call(qmp, {name: 'query-blockstats', args, returns: listOf(blockStats)}, options)
  return list.map(({nodeName, stats}) => ({nodeName, ...stats}))
}

/** A node as QEMU spells it: `driver`, `node-name` and what the driver wants. */
export type BlockdevOptions = Readonly<Record<string, unknown>> & {
  readonly driver: string
  readonly 'node-name': string
}

/** Adds a node. An NBD client connects before the reply, so give it a time limit. */
export function blockdevAdd(qmp: QmpExecutor, node: BlockdevOptions, options?: CallOptions): Promise<void> {
  return call(qmp, {name: 'blockdev-add', args: node, returns: nothing}, options)
}

/** Removes a node nobody uses; refused (GenericError) while it has a parent, an export or a job. */
export function blockdevDel(qmp: QmpExecutor, nodeName: string, options?: CallOptions): Promise<void> {
  return call(qmp, {name: 'blockdev-del', args: {'node-name': nodeName}, returns: nothing}, options)
}

/**
 * Adds a node to a quorum, or takes a child out by role (`children.1`).
 *
 * With a hung NBD peer it blocks QEMU's main loop for ever: yank first.
 */
export function blockdevChange(
  qmp: QmpExecutor,
  change: {readonly parent: string; readonly node: string} | {readonly parent: string; readonly child: string},
  options?: CallOptions,
): Promise<void> {
  return call(qmp, {name: 'x-blockdev-change', args: present(change), returns: nothing}, options)
}
