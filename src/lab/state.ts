import {mkdir, readFile, rename, rm, writeFile} from 'node:fs/promises'

import type {ProcessId} from '../os/proc.js'
import type {Accelerator} from './accel.js'
import {labHosts, type LabHost} from './layout.js'
import {hostFile, stateFile, type LabPaths} from './paths.js'

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
  const state = (await readJson(stateFile(paths))) as Omit<LabState, 'hosts'> | undefined
  if (state === undefined) return undefined
  const hosts: Partial<Record<LabHost, HostProcess>> = {}
  for (const host of labHosts) {
    const process = (await readJson(hostFile(paths, host))) as HostProcess | undefined
    if (process !== undefined) hosts[host] = process
  }
  return {...state, hosts}
}

/** Writes everything but the hosts, each of which has a file of its own: faults act on several at the same time. */
export async function writeState(paths: LabPaths, state: LabState): Promise<void> {
  const {hosts: _hosts, ...rest} = state
  await mkdir(paths.run, {recursive: true, mode: 0o700})
  await writeJson(stateFile(paths), rest)
}

/** Notes the process of one host, or that it has none. */
export async function recordHost(paths: LabPaths, host: LabHost, process: HostProcess | undefined): Promise<void> {
  if (process === undefined) await rm(hostFile(paths, host), {force: true})
  else await writeJson(hostFile(paths, host), process)
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as unknown
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function writeJson(file: string, value: unknown): Promise<void> {
  await writeFile(`${file}.new`, JSON.stringify(value, undefined, 2))
  await rename(`${file}.new`, file)
}
