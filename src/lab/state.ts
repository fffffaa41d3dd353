import {mkdir, readFile, rename, writeFile} from 'node:fs/promises'
import {dirname} from 'node:path'

import type {ProcessId} from '../os/proc.js'
import type {Accelerator} from './accel.js'
import type {LabHost} from './layout.js'
import {stateFile, type LabPaths} from './paths.js'

/** One running (or once running) host. `outer` holds its namespaces alive, `init` is PID 1 inside. */
export interface HostProcess {
  readonly outer: ProcessId
  readonly init: ProcessId | undefined
}

/** What exists or is about to: written before anything is made, so that `down` finds it after a crash. */
export interface LabState {
  readonly version: 1
  readonly bootId: string
  readonly createdAt: string
  readonly rootfs: string
  readonly guest: string
  readonly accelerator: Accelerator
  readonly tree: string
  readonly data: string
  readonly namespaces: readonly string[]
  readonly hosts: Readonly<Partial<Record<LabHost, HostProcess>>>
}

/** The lab's state; undefined when there is no lab. */
export async function readState(paths: LabPaths): Promise<LabState | undefined> {
  try {
    return JSON.parse(await readFile(stateFile(paths), 'utf8')) as LabState
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

export async function writeState(paths: LabPaths, state: LabState): Promise<void> {
  const file = stateFile(paths)
  await mkdir(dirname(file), {recursive: true, mode: 0o700})
  await writeFile(`${file}.new`, JSON.stringify(state, undefined, 2))
  await rename(`${file}.new`, file)
}

/** Notes the process of one host, or that it has none. */
export async function recordHost(paths: LabPaths, host: LabHost, process: HostProcess | undefined): Promise<void> {
  const state = await readState(paths)
  if (state === undefined) return
  const {[host]: _old, ...others} = state.hosts
  await writeState(paths, {...state, hosts: process === undefined ? others : {...others, [host]: process}})
}
