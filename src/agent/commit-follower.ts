import type {Clock} from '../os/clock.js'
import type {DiskLayout} from '../pair/layout.js'
import type {PairRecord} from '../pair/record.js'
import type {RecordChange} from '../plan/action.js'
import {blockdevDel, queryBlockGraph, type BlockGraph} from '../qmp/commands/block-nodes.js'
import {queryColoStatus} from '../qmp/commands/colo.js'
import {QmpCommandError} from '../qmp/errors.js'
import type {QmpSession} from '../qmp/session.js'

/** most commits end at once; until that is noted, a death of QEMU would have the overlays merged over newer writes */
const FAST_POLL_MS = 25
const FAST_UNTIL_MS = 5000
const POLL_MS = 200
const SLOW_POLL_MS = 1000
const SLOW_AFTER_MS = 60_000
const LIMIT_MS = 2000

export interface CommitFollowerOptions {
  readonly clock: Clock
  readonly qmp: (signal: AbortSignal) => Promise<QmpSession>
  readonly disks: () => readonly DiskLayout[]
  /** the overlays of some disks have left the chain; told are the names of the others */
  readonly onProgress: (left: readonly string[]) => Promise<unknown>
  /** the overlays have left every chain and their nodes are gone */
  readonly onDone: () => Promise<void>
  readonly onProblem: (text: string) => void
}

/**
 * Follows the commit that QEMU runs after a promotion and shows nowhere: it is over when the active and hidden nodes
 * have left the chain. If QEMU dies first, nothing is reported and the mark stays.
 *
 * It never gives up: a QEMU that is busy with the commit answers late, and a pair that nobody follows would be `committing` for ever.
 */
export class CommitFollower {
  readonly #options: CommitFollowerOptions
  #running: AbortController | undefined
  /** told after the next look that begins from now on */
  readonly #waiting = new Set<() => void>()
  /** how many disks were left when that was last told */
  #told = Number.POSITIVE_INFINITY

  constructor(options: CommitFollowerOptions) {
    this.#options = options
  }

  /**
   * Starts unless it runs.
   *
   * @returns settles when it has looked once since then, and a commit that was over already is noted; never rejects
   */
  start(): Promise<void> {
    const looked = new Promise<void>((resolve) => {
      this.#waiting.add(resolve)
    })
    this.#run()
    return looked
  }

  #run(): void {
    if (this.#running !== undefined) return
    const stop = new AbortController()
    this.#running = stop
    void this.#follow(stop.signal)
      .catch((error: unknown) => {
        if (!stop.signal.aborted) this.#options.onProblem(`following the commit: ${(error as Error).message}`)
      })
      .finally(() => {
        if (this.#running !== undefined && this.#running !== stop) return
        this.#running = undefined
        this.#tellWaiting(this.#waiting)
      })
  }

  stop(): void {
    this.#running?.abort(new Error('stopped'))
    this.#running = undefined
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const {clock} = this.#options
    const beganMs = clock.monotonic()
    this.#told = this.#options.disks().length
    for (let failed = false; !signal.aborted;) {
      const waiting = [...this.#waiting]
      const outcome = await this.#try(signal, failed)
      this.#tellWaiting(waiting)
      if (outcome === 'done') return
      failed = outcome === 'failed'
      const tookMs = clock.monotonic() - beganMs
      const isSlow = failed || tookMs > SLOW_AFTER_MS
      await clock.sleep(isSlow ? SLOW_POLL_MS : tookMs < FAST_UNTIL_MS ? FAST_POLL_MS : POLL_MS, signal)
    }
  }

  #tellWaiting(waiting: Iterable<() => void>): void {
    for (const tell of [...waiting]) {
      this.#waiting.delete(tell)
      tell()
    }
  }

  /** @param again the last try failed, too: it was told */
  async #try(signal: AbortSignal, again: boolean): Promise<'done' | 'open' | 'failed'> {
    const {onDone, onProblem} = this.#options
    try {
      if (!(await this.#step(signal))) return 'open'
      await onDone()
      return 'done'
    } catch (error) {
      if (!again && !signal.aborted) onProblem(`following the commit: ${(error as Error).message}; trying again`)
      return 'failed'
    }
  }

  /** @returns whether all is done */
  async #step(signal: AbortSignal): Promise<boolean> {
    const qmp = await this.#options.qmp(signal)
    const limit = {timeoutMs: LIMIT_MS, signal}
    if ((await queryColoStatus(qmp, limit)).mode !== 'none') return false // the promotion is still to come
    let graph = await queryBlockGraph(qmp, limit)
    let left = this.#left(graph)
    for (const node of left) {
      if (inUse(graph, node)) continue
      try {
        await blockdevDel(qmp, node, limit)
        graph = await queryBlockGraph(qmp, limit)
      } catch (error) {
        if (!(error instanceof QmpCommandError)) throw error // refused: somebody uses it still
      }
    }
    left = this.#left(graph)
    await this.#tell(left)
    return left.length === 0 && this.#options.disks().every((disk) => hasNode(graph, disk.quorum))
  }

  async #tell(left: readonly string[]): Promise<void> {
    const {disks, onProgress} = this.#options
    const waiting = disks().filter((disk) => nodesOf(disk).some((node) => left.includes(node)))
    if (waiting.length === 0 || waiting.length >= this.#told) return
    await onProgress(waiting.map(({spec}) => spec.name))
    this.#told = waiting.length
  }

  /** overlay nodes that still exist, uppermost first */
  #left(graph: BlockGraph): string[] {
    return this.#options
      .disks()
      .flatMap(nodesOf)
      .filter((node) => hasNode(graph, node))
  }
}

/** Change of a record whose commit still holds for these disks; for none, the mark goes. */
export function merging(disks: readonly string[]): (record: PairRecord) => RecordChange | undefined {
  return ({marks: {incomplete, ...marks}}) => {
    if (incomplete?.why !== 'commit') return undefined
    return {marks: disks.length === 0 ? marks : {...marks, incomplete: {...incomplete, disks}}}
  }
}

function nodesOf({active, activeFile, hidden, hiddenFile}: DiskLayout): string[] {
  return [active, activeFile, hidden, hiddenFile]
}

function hasNode(graph: BlockGraph, name: string): boolean {
  return graph.nodes.some((node) => node.name === name)
}

/** Something above it uses it; what the monitor holds is no edge. */
function inUse(graph: BlockGraph, name: string): boolean {
  const ids = graph.nodes.filter((node) => node.name === name).map(({id}) => id)
  return graph.edges.some(({child}) => ids.includes(child))
}
