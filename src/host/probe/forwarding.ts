import {release} from 'node:os'
import {ToolError} from '../../errors.js'
import type {Files} from '../../os/files.js'
import type {Run} from '../../os/process.js'
import {isRecord} from '../../qmp/messages.js'
import type {ForwardFacts, HostFacts} from '../facts.js'

const TOOL_MS = 3000

/** Pieces of the kernel and a function of each, by which one that is built in is found. */
export const kernelPieces = {
  sch_ingress: 'ingress_init',
  cls_u32: 'u32_classify',
  cls_bpf: 'cls_bpf_classify',
  act_mirred: 'tcf_mirred_act',
  ifb: 'ifb_xmit',
  tun: 'tun_net_xmit',
  '8021q': 'vlan_dev_hard_start_xmit',
  sch_prio: 'prio_enqueue',
  sch_plug: 'plug_enqueue',
  cls_basic: 'basic_classify',
  cls_tcindex: 'tcindex_classify',
  blktap2: 'blktap_device_create',
} as const satisfies Record<string, string>

/** Where a kernel tells what it is made of, as text; undefined where there is no such file. */
export interface KernelTexts {
  readonly modules: string | undefined
  readonly builtin: string | undefined
  readonly symbols: string | undefined
  readonly loadable: string | undefined
}

/** What this host has for kernel forwarding, and what its NICs do besides. */
export async function probeForwarding(
  {run, files}: {readonly run: Run; readonly files: Files},
  links: HostFacts['links'],
): Promise<ForwardFacts> {
  const directory = `/lib/modules/${release()}`
  const [modules, builtin, symbols, loadable, conf] = await Promise.all([
    files.readText('/proc/modules'),
    files.readText(`${directory}/modules.builtin`),
    files.readText('/proc/kallsyms'),
    files.readText(`${directory}/modules.dep`),
    files.readText('/etc/libvirt/qemu.conf'),
  ])
  const candidates = links.filter(({kind, name}) => !['bridge', 'ifb', 'tun'].includes(kind) && name !== 'lo')
  const [routed, offloads] = await Promise.all([
    routedDevices(run),
    Promise.all(candidates.map(async ({name}) => [name, await offloadsOf(run, name)] as const)),
  ])
  return {
    kernel: kernelOf({modules, builtin, symbols, loadable}),
    tunForQemu: allowsTun(conf ?? ''),
    routed,
    offloads: Object.fromEntries(offloads.filter(([, on]) => on.length > 0)),
  }
}

/** Each piece: `loaded`, `built-in`, `loadable` or `missing`, by looking. */
export function kernelOf({modules, builtin, symbols, loadable}: KernelTexts): ForwardFacts['kernel'] {
  const loaded = new Set((modules ?? '').split('\n').map((line) => line.split(' ')[0]?.replaceAll('-', '_')))
  const has = (text: string | undefined, name: string): boolean =>
    new RegExp(`/${name.replaceAll('_', '[_-]')}\\.ko`, 'm').test(text ?? '')
  // a function of a loaded module is followed by its name in brackets
  const known = (symbol: string): boolean => new RegExp(` ${symbol}(\\.[a-z0-9.]+)?$`, 'm').test(symbols ?? '')
  return Object.fromEntries(
    Object.entries(kernelPieces).map(([name, symbol]) => {
      if (loaded.has(name)) return [name, 'loaded']
      if (has(builtin, name) || known(symbol)) return [name, 'built-in']
      return [name, has(loadable, name) ? 'loadable' : 'missing']
    }),
  )
}

/**
 * Whether libvirt lets QEMU open /dev/net/tun: in its device list, or no list is held against it.
 *
 * @see libvirt src/qemu/qemu.conf.in, cgroup_device_acl and namespaces
 */
export function allowsTun(conf: string): boolean {
  const text = conf.replace(/^\s*#.*$/gm, '')
  const list = (name: string): string | undefined =>
    new RegExp(`^\\s*${name}\\s*=\\s*\\[([^\\]]*)\\]`, 'm').exec(text)?.[1]
  const acl = list('cgroup_device_acl')
  if (acl?.includes('"/dev/net/tun"') === true) return true
  const controllers = list('cgroup_controllers')
  return list('namespaces')?.trim() === '' && controllers !== undefined && !controllers.includes('"devices"')
}

/** Names of the devices that a route leads over. */
async function routedDevices(run: Run): Promise<string[]> {
  const texts = await Promise.all(
    (['-4', '-6'] as const).map(async (family) => {
      const {stdout} = await run(['ip', '-json', family, 'route', 'show'], {timeoutMs: TOOL_MS})
      return stdout.trim() === '' ? '[]' : stdout
    }),
  )
  const routes = texts.flatMap((text) => JSON.parse(text) as unknown[]).filter(isRecord)
  // the kernel's own route to link-local addresses goes with the address
  const real = routes.filter(({dst}) => typeof dst === 'string' && !dst.startsWith('fe80'))
  return [...new Set(real.flatMap(({dev}) => (typeof dev === 'string' ? [dev] : [])))]
}

/** Features of a NIC that merge or take away frames before they can be copied as they are. */
const harmful = {'large-receive-offload': 'lro', 'rx-gro-hw': 'rx-gro-hw', 'hw-tc-offload': 'hw-tc-offload'} as const

/** Those that are on, by the word `ethtool -K` has for them; none where ethtool is missing or the NIC has no features. */
async function offloadsOf(run: Run, name: string): Promise<string[]> {
  try {
    return offloadsIn((await run(['ethtool', '-k', name], {timeoutMs: TOOL_MS})).stdout)
  } catch (error) {
    if (error instanceof ToolError) return []
    throw error
  }
}

export function offloadsIn(stdout: string): string[] {
  return Object.entries(harmful).flatMap(([feature, word]) => {
    return new RegExp(`^\\s*${feature}: on`, 'm').test(stdout) ? [word] : []
  })
}
