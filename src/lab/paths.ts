import {existsSync, statfsSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'

import type {LabHost} from './layout.js'

/** Where the lab keeps things. */
export interface LabPaths {
  /** root file systems and guests, kept over `down`; COLO_LAB_CACHE */
  readonly cache: string
  /** what ends with the lab or the machine: state, keys, logs */
  readonly run: string
  /** what the hosts write: their overlays; COLO_LAB_DATA */
  readonly data: string
  /** the project tree the hosts run `colo` from */
  readonly tree: string
}

/** @param env  the environment that may override the places */
export function labPaths(env: NodeJS.ProcessEnv = process.env): LabPaths {
  return {
    cache: env['COLO_LAB_CACHE'] ?? '/var/cache/colo-lab',
    run: '/run/colo-lab',
    data: env['COLO_LAB_DATA'] ?? join(overlayHome('/var/lib'), 'colo-lab'),
    tree: packageRoot,
  }
}

const overlayfsMagic = 0x79_4c_76_30

/**
 * Where the upper layer of an overlay can live: `wanted`, or memory when `wanted` is itself on an overlay, as in a container.
 *
 * @see Linux Documentation/filesystems/overlayfs.rst: the upper file system cannot be an overlay
 */
export function overlayHome(wanted: string): string {
  return existsSync(wanted) && statfsSync(wanted).type === overlayfsMagic ? '/dev/shm' : wanted
}

export const stateFile = (paths: LabPaths): string => join(paths.run, 'state.json')
export const hostFile = (paths: LabPaths, host: LabHost): string => join(paths.run, `host-${host}.json`)
export const inventoryFile = (paths: LabPaths): string => join(paths.run, 'hosts.yaml')
export const sshDir = (paths: LabPaths): string => join(paths.run, 'ssh')
export const sshConfigFile = (paths: LabPaths): string => join(paths.run, 'ssh', 'config')
export const hostLog = (paths: LabPaths, host: LabHost): string => join(paths.run, `${host}.log`)
export const hostDir = (paths: LabPaths, host: LabHost): string => join(paths.data, host)
/** The host's writable layer: what is put here shows up at `/` inside, as long as the host is not running. */
export const hostUpper = (paths: LabPaths, host: LabHost): string => join(paths.data, host, 'up')

/** A file of `templates/lab/`. */
export function labAsset(name: string): string {
  return join(packageRoot, 'templates', 'lab', name)
}

const packageRoot = findPackageRoot(dirname(fileURLToPath(import.meta.url)))

/** The same from the sources and from `dist`: the nearest directory upwards with the templates. */
function findPackageRoot(from: string): string {
  if (existsSync(join(from, 'package.json')) && existsSync(join(from, 'templates'))) return from
  const up = dirname(from)
  if (up === from) throw new Error('the package root with templates/ was not found')
  return findPackageRoot(up)
}
