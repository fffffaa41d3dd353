import {dirname} from 'node:path'
import {layoutOf, runRoot, stateRoot, type PairLayout} from '../pair/layout.js'
import type {PairSpec} from '../pair/spec.js'

/** Where this agent keeps durable and volatile state of its pairs; tests have their own. */
export interface Roots {
  readonly stateRoot: string
  readonly runRoot: string
}

export const defaultRoots: Roots = {stateRoot, runRoot}

/** Root's alone, beside the directories of the pairs. */
export function startsDirectory(roots: Roots): string {
  return `${dirname(roots.runRoot)}/starts`
}

/** The layout of a pair below other roots. */
export function layoutAt(spec: PairSpec, roots: Roots): PairLayout {
  const layout = layoutOf(spec)
  const move = (path: string): string =>
    path.startsWith(`${stateRoot}/`)
      ? roots.stateRoot + path.slice(stateRoot.length)
      : path.startsWith(`${runRoot}/`)
        ? roots.runRoot + path.slice(runRoot.length)
        : path
  return {
    ...layout,
    stateDir: move(layout.stateDir),
    runDir: move(layout.runDir),
    agentSocket: move(layout.agentSocket),
    yankSocket: move(layout.yankSocket),
    startNote: `${startsDirectory(roots)}/${spec.name}`,
    nics: layout.nics.map((nic) => ({
      ...nic,
      captureSocket: move(nic.captureSocket),
      releaseSocket: move(nic.releaseSocket),
      feedSocket: move(nic.feedSocket),
    })),
  }
}

/** The layout of a pair of which only the name is known yet: directories and sockets, no disks and NICs. */
export function layoutOfName(name: string, roots: Roots): PairLayout {
  return layoutAt({name, disks: [], nics: []} as unknown as PairSpec, roots)
}
