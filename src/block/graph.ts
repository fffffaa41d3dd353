import type {BlockGraph} from '../qmp/commands/block-nodes.js'

/** Whether a node of this name exists. */
export function hasNode(graph: BlockGraph, name: string): boolean {
  return graph.nodes.some((node) => node.name === name && node.type === 'block-driver')
}

/**
 * Children of a node by role, as in `children.1` -> `nbd0`. While a job or COLO runs there may be filters with made-up names between.
 *
 * @returns an empty map when the node does not exist
 */
export function childrenOf(graph: BlockGraph, name: string): ReadonlyMap<string, string> {
  const parent = graph.nodes.find((node) => node.name === name && node.type === 'block-driver')
  const names = new Map(graph.nodes.map((node) => [node.id, node.name]))
  return new Map(
    graph.edges
      .filter((edge) => edge.parent === parent?.id)
      .map((edge): [string, string] => [edge.name, names.get(edge.child) ?? '']),
  )
}

/** Whether `node` is a direct child of `quorum`. */
export function isChild(graph: BlockGraph, quorum: string, node: string): boolean {
  return [...childrenOf(graph, quorum).values()].includes(node)
}
