import {addressOf, imagePath, layoutOfPair, overlaysOf, type PairIdentity} from '../pair/identity.js'
import {onHost, type NicSpec} from '../pair/spec.js'
import {parseXlCfg, quoteCfg} from './cfg-text.js'
import {forwardNicOf, proxyOf, proxySockets} from './layout.js'
import {filterKeys, socketGroups, socketIds, type FilterKey} from './names.js'

/** Sides of the protection that a configuration is for: COLO's names the addresses of both. */
export interface XenSides {
  readonly primary: string
  readonly secondary: string
}

/** Settings that only colo writes; a template must not have them. */
const ours = [
  'name',
  'uuid',
  'type',
  'builder',
  'memory',
  'maxmem',
  'vcpus',
  'kernel',
  'ramdisk',
  'extra',
  'cmdline',
  'root',
  'xen_platform_pci',
  'on_poweroff',
  'on_reboot',
  'on_crash',
  'on_watchdog',
  'disk',
  'vif',
  'hdtype',
  'device_model_version',
]

/** Why a template cannot be used; `line` from 1. */
export interface TemplateProblem {
  readonly line: number
  readonly problem: string
}

export type BuiltConfig = {readonly text: string} | {readonly problems: readonly TemplateProblem[]}

/**
 * The xl.cfg of a pair. One text serves both sides, since the configuration travels in the stream.
 *
 * @param template  settings that a user may add to or override, as `templates/xen/domain.cfg`
 */
export function buildXenConfig(identity: PairIdentity, sides: XenSides, template: string): BuiltConfig {
  const read = parseXlCfg(template)
  const problems = [
    ...read.problems.map(({line, problem}) => ({line, problem})),
    ...read.entries
      .filter(({key}) => ours.includes(key))
      .map(({key, line}) => ({line, problem: `${key} is set by colo`})),
  ]
  if (problems.length > 0) return {problems}
  const lines = [...settings(identity), diskLine(identity, sides), vifLine(identity, sides)]
  return {text: `${[template.trimEnd(), ...lines].filter((line) => line !== '').join('\n')}\n`}
}

/**
 * Every way in which a domain may end destroys it: nothing but colo starts a copy (S4). PV drivers are off in COLO, whose suspend they would
 * refuse.
 */
function settings({spec, uuid}: PairIdentity): string[] {
  const {vm} = spec
  const type = vm.type ?? 'hvm'
  const kernel =
    vm.kernel === undefined
      ? []
      : [
          `kernel = ${quoteCfg(vm.kernel.image)}`,
          ...(vm.kernel.initrd === undefined ? [] : [`ramdisk = ${quoteCfg(vm.kernel.initrd)}`]),
          ...(vm.kernel.cmdline === '' ? [] : [`extra = ${quoteCfg(vm.kernel.cmdline)}`]),
        ]
  return [
    `name = ${quoteCfg(spec.name)}`,
    `uuid = ${quoteCfg(uuid)}`,
    `type = ${quoteCfg(type)}`,
    `memory = ${vm.memoryBytes / 1024 ** 2}`,
    `vcpus = ${vm.vcpus}`,
    ...kernel,
    ...(spec.mode === 'colo' ? ['xen_platform_pci = 0'] : []),
    ...['on_poweroff', 'on_reboot', 'on_crash', 'on_watchdog'].map((key) => `${key} = "destroy"`),
  ]
}

function diskLine(identity: PairIdentity, {primary, secondary}: XenSides): string {
  const [disk] = layoutOfPair(identity).disks
  if (disk === undefined) return 'disk = [ ]'
  const overlays = overlaysOf(identity, disk, secondary)
  const fields = [
    `format=${disk.spec.format}`,
    'vdev=hda',
    'access=rw',
    'backendtype=qdisk',
    'colo',
    `colo-host=${addressOf(identity, secondary)}`,
    `colo-port=${identity.ports.nbd}`,
    `colo-export=${disk.exportId}`,
    `active-disk=${overlays.active}`,
    `hidden-disk=${overlays.hidden}`,
    // the last one: it swallows the rest, commas included
    `target=${imagePath(disk, primary)}`,
  ]
  return `disk = [ '${fields.join(',')}' ]`
}

function vifLine(identity: PairIdentity, sides: XenSides): string {
  const vifs = identity.spec.nics.map((nic) => `'${vifFields(identity, nic, sides).join(',')}'`)
  return vifs.length === 0 ? 'vif = [ ]' : `vif = [ ${vifs.join(', ')} ]`
}

function vifFields(identity: PairIdentity, nic: NicSpec, {primary}: XenSides): string[] {
  const bridge = onHost(nic.bridge, primary)
  const hvm = (identity.spec.vm.type ?? 'hvm') === 'hvm'
  const device = hvm ? ['type=ioemu', `model=${nic.model}`] : []
  const base = [...device, `mac=${nic.mac}`, `bridge=${bridge ?? ''}`]
  switch (proxyOf(identity)) {
    case 'none':
      return base
    case 'kernel':
      return [...base, `forwarddev=${forwardNicOf(identity.spec) ?? ''}`]
    case 'userspace':
      return [...base, ...userspaceFields(identity, primary)]
  }
}

function userspaceFields(identity: PairIdentity, primary: string): string[] {
  const sockets = proxySockets(identity, primary)
  const values: Readonly<Record<FilterKey, string>> = {
    colo_filter_mirror_queue: 'tx',
    colo_filter_mirror_outdev: socketIds.mirror,
    colo_filter_redirector0_queue: 'rx',
    colo_filter_redirector0_indev: socketIds.redirector0,
    colo_filter_redirector1_queue: 'rx',
    colo_filter_redirector1_outdev: socketIds.redirector1,
    colo_compare_pri_in: socketIds.compare_pri_in,
    colo_compare_sec_in: socketIds.compare_sec_in,
    colo_compare_out: socketIds.redirector2,
    colo_compare_notify_dev: socketIds.compare_notify,
    colo_filter_sec_redirector0_queue: 'tx',
    colo_filter_sec_redirector0_indev: socketIds.sec_redirector0,
    colo_filter_sec_redirector1_queue: 'rx',
    colo_filter_sec_redirector1_outdev: socketIds.sec_redirector1,
    colo_filter_sec_rewriter0_queue: 'all',
    colo_checkpoint_host: sockets.compare_notify.ip,
    colo_checkpoint_port: String(sockets.compare_notify.port),
  }
  return [
    ...socketGroups.flatMap((group) => [
      `colo_sock_${group}_id=${socketIds[group]}`,
      `colo_sock_${group}_ip=${sockets[group].ip}`,
      `colo_sock_${group}_port=${sockets[group].port}`,
    ]),
    ...filterKeys.map((key) => `${key}=${values[key]}`),
  ]
}
