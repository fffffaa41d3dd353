import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {isAlive} from '../os/proc.js'
import type {Accelerator} from './accel.js'
import {agentState, type AgentState} from './agent.js'
import {systemLab, type LabContext} from './context.js'
import {cablesOf, labHosts, managementAddress, type LabHost, type LabLink} from './layout.js'
import {inventoryFile, sshConfigFile} from './paths.js'
import {versionsIn, type RootfsVersions} from './rootfs.js'
import {readState, type HostProcess} from './state.js'

export interface HostStatus {
  readonly name: LabHost
  readonly address: string
  readonly running: boolean
  readonly agent: AgentState
  /** names of running libvirt domains */
  readonly domains: readonly string[]
  /** links that are down or unplugged */
  readonly cut: readonly LabLink[]
}

export type LabStatus =
  | {readonly up: false}
  | {
      readonly up: true
      readonly accelerator: Accelerator
      readonly versions: RootfsVersions & {readonly guestKernel: string}
      readonly env: {readonly COLO_HOSTS: string; readonly COLO_SSH_CONFIG: string}
      readonly tree: string
      readonly hosts: readonly HostStatus[]
    }

/** What is up, without touching a host: read from /proc and the namespaces. */
export async function labStatus(context: LabContext = systemLab()): Promise<LabStatus> {
  const state = await readState(context.paths)
  if (state === undefined) return {up: false}
  const packages = versionsIn(await readFile(join(state.rootfs, 'var/lib/dpkg/status'), 'utf8'))
  const guestKernel = (await readFile(join(state.guest, 'kernel-version'), 'utf8')).trim()
  const hosts = []
  for (const name of labHosts) hosts.push(await hostStatus(context, name, state.hosts[name]))
  return {
    up: true,
    accelerator: state.accelerator,
    versions: {...packages, guestKernel},
    env: {COLO_HOSTS: inventoryFile(context.paths), COLO_SSH_CONFIG: sshConfigFile(context.paths)},
    tree: state.tree,
    hosts,
  }
}

async function hostStatus(context: LabContext, name: LabHost, process: HostProcess | undefined): Promise<HostStatus> {
  const base = {name, address: managementAddress(name)}
  const init = process?.init
  if (init === undefined || !(await isAlive(init)))
    return {...base, running: false, agent: 'silent', domains: [], cut: []}
  const root = `/proc/${init.pid}/root`
  return {
    ...base,
    running: true,
    agent: await agentState(init.pid),
    domains: await domainsUnder(root),
    cut: await cutLinks(context, name),
  }
}

async function domainsUnder(root: string): Promise<string[]> {
  const names = await readdir(`${root}/run/libvirt/qemu`).catch(() => [])
  return names
    .filter((name) => name.endsWith('.pid') && name !== 'driver.pid')
    .map((name) => name.slice(0, -'.pid'.length))
}

interface LinkView {
  readonly ifname?: string
  readonly operstate?: string
  readonly master?: string
}

async function cutLinks({run}: LabContext, host: LabHost): Promise<LabLink[]> {
  const cut: LabLink[] = []
  for (const {link, near, far, farBridge} of cablesOf(host)) {
    const {stdout} = await run(['ip', '-n', near.namespace, '-json', 'link', 'show', 'dev', near.device])
    const other = await run(['ip', '-n', far.namespace, '-json', 'link', 'show', 'dev', far.device])
    const [nearView] = JSON.parse(stdout) as LinkView[]
    const [farView] = JSON.parse(other.stdout) as LinkView[]
    if (nearView?.operstate !== 'UP' || farView?.master !== farBridge) cut.push(link)
  }
  return cut
}
