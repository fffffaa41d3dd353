import {existsSync} from 'node:fs'
import {readdir, rm} from 'node:fs/promises'
import {join} from 'node:path'

import {identify, signalProcess} from '../os/proc.js'
import type {Run} from '../os/process.js'
import {systemLab, type LabContext} from './context.js'
import {killHost, poll} from './host.js'
import {outerInterface} from './layout.js'
import {withLabLock} from './lock.js'
import {listNamespaces} from './network.js'
import {silentProgress, type Progress} from './progress.js'
import {readState, type LabState} from './state.js'

/**
 * Removes the lab: processes, namespaces, links, and what the hosts wrote. The cache stays.
 *
 * @returns false when there was no lab
 */
export async function labDown(options: {progress?: Progress; context?: LabContext} = {}): Promise<boolean> {
  const context = options.context ?? systemLab()
  const progress = options.progress ?? silentProgress
  return withLabLock('lab down', async () => {
    const state = await readState(context.paths)
    if (state === undefined) return false
    await progress.step('taking the lab down', () => tearDown(context, state))
    return true
  })
}

/** Removes what builds have cached; only what they made, whatever else is in that directory. */
export async function purgeCache({paths}: LabContext = systemLab()): Promise<void> {
  const names = existsSync(paths.cache) ? await readdir(paths.cache) : []
  const ours = names.filter((name) => /^(rootfs|guest)-[0-9a-f]{12}(\.|$)/.test(name) || name === 'accelerator')
  for (const name of ours) await rm(join(paths.cache, name), {recursive: true, force: true})
}

/** Removes what a state names, whether it was ever made or not. Everything in the lab's namespaces ends with it. */
export async function tearDown({run, paths}: LabContext, state: LabState): Promise<void> {
  for (const host of Object.values(state.hosts)) await killHost(host)
  const present = (await listNamespaces(run)).filter((name) => state.namespaces.includes(name))
  for (const namespace of present) await endProcessesIn(run, namespace)
  for (const namespace of present) await run(['ip', 'netns', 'del', namespace])
  await removeOuterInterface(run)
  await rm(state.data, {recursive: true, force: true})
  await rm(paths.run, {recursive: true, force: true})
}

/** Finds even those that were started just before a crash and never written down: their network namespace is ours. */
async function endProcessesIn(run: Run, namespace: string): Promise<void> {
  const members = async (): Promise<number[]> => {
    const {stdout} = await run(['ip', 'netns', 'pids', namespace])
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map(Number)
  }
  const emptied = async (): Promise<boolean> => {
    const pids = await members()
    for (const pid of pids) {
      const id = await identify(pid)
      if (id !== undefined) await signalProcess(id, 'SIGKILL')
    }
    return pids.length === 0
  }
  await poll({what: `the processes in ${namespace} to end`, limitMs: 20_000, everyMs: 50, done: emptied})
}

/** It goes with the namespace of its other end, but some time later; without that namespace it has to be removed. */
async function removeOuterInterface(run: Run): Promise<void> {
  const gone = async (): Promise<boolean> => {
    const {stdout} = await run(['ip', '-json', 'link', 'show'])
    const links = JSON.parse(stdout) as ReadonlyArray<{ifname?: string}>
    if (!links.some(({ifname}) => ifname === outerInterface.name)) return true
    await run(['ip', 'link', 'del', outerInterface.name]).catch(() => undefined)
    return false
  }
  await poll({what: `${outerInterface.name} to go`, limitMs: 10_000, everyMs: 20, done: gone})
}
