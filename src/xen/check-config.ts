import {lastValue, parseXlCfg, type CfgEntry} from './cfg-text.js'
import {checkDisk} from './check-disk.js'
import {checkVif, type Vif} from './check-vif.js'
import type {ConfigProblem} from './problem.js'

/** Settings of a domain that colo writes or a template may have; xl ignores every other name without a word. */
const strings = new Set([
  'name', 'uuid', 'type', 'kernel', 'ramdisk', 'extra', 'cmdline', 'root', 'serial', 'vga', 'boot', 'keymap', 'cpus', 'seclabel',
  'vnclisten', 'vncpasswd', 'spicehost', 'bios', 'firmware', 'on_poweroff', 'on_reboot', 'on_crash', 'on_watchdog', 'localtime_zone',
  'hdtype', 'device_model_version', 'device_model_override', 'soundhw', 'usbdevice', 'timer_mode', 'viridian', 'cpuid', 'pool',
]) // prettier-ignore
const numbers = new Set([
  'memory', 'maxmem', 'vcpus', 'maxvcpus', 'cpu_weight', 'cap', 'xen_platform_pci', 'nographic', 'acpi', 'apic', 'pae', 'nx', 'hpet',
  'hap', 'localtime', 'rtc_timeoffset', 'sdl', 'vnc', 'vncdisplay', 'spice', 'usb', 'videoram', 'stdvga', 'shadow_memory', 'nestedhvm',
]) // prettier-ignore
const lists = new Set(['disk', 'vif', 'device_model_args', 'device_model_args_hvm', 'vfb'])

const actions = [
  'destroy',
  'restart',
  'rename-restart',
  'preserve',
  'coredump-destroy',
  'coredump-restart',
  'soft-reset',
]

/**
 * Everything in an xl.cfg that xl, libxl or QEMU would refuse, and everything they let pass although COLO cannot work with it.
 *
 * @returns nothing when the domain can be created, and protected by COLO where it has COLO settings
 * @see docs/xen.md, what xl does not check
 */
export function checkXlCfg(text: string): ConfigProblem[] {
  const {entries, problems} = parseXlCfg(text)
  const syntax = problems.map(({line, problem, laxity}) => ({where: `line ${line}`, problem, laxity}))
  if (syntax.some(({laxity}) => !laxity)) return syntax
  return [...syntax, ...entries.flatMap(checkEntry), ...checkDomain(entries), ...checkDevices(entries)]
}

function checkEntry({key, value}: CfgEntry): ConfigProblem[] {
  const wrong = (problem: string, laxity = true): ConfigProblem[] => [{where: key, problem, laxity}]
  if (lists.has(key)) return Array.isArray(value) ? [] : wrong('is not a list', false)
  if (strings.has(key)) return typeof value === 'string' ? [] : wrong('is not a string')
  if (numbers.has(key)) return typeof value === 'number' ? [] : wrong('is not a number', false)
  return wrong('is no setting that colo knows; xl ignores unknown ones')
}

function checkDomain(entries: readonly CfgEntry[]): ConfigProblem[] {
  const of = (key: string): unknown => lastValue(entries, key)
  const problems: ConfigProblem[] = []
  const wrong = (where: string, problem: string, laxity: boolean): void => void problems.push({where, problem, laxity})
  const name = of('name')
  if (name === undefined) wrong('name', 'is missing', false)
  else if (typeof name !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(name))
    wrong('name', 'is no name of a pair', true)
  else if (name.endsWith('--incoming')) wrong('name', 'is that of a receiving domain', true)
  else if (/^\d+$/.test(name)) wrong('name', 'is a number: xl takes it for a domain id', true)
  const type = of('type')
  if (type === undefined) wrong('type', 'is missing: xl would take pv', true)
  else if (type === 'pv') wrong('type', 'pv needs shadow paging, and COLO is for hvm only', true)
  else if (type !== 'hvm' && type !== 'pvh') wrong('type', 'is none of hvm, pvh', false)
  if (of('memory') === undefined) wrong('memory', 'is missing', true)
  for (const key of ['memory', 'vcpus']) {
    const value = of(key)
    if (typeof value === 'number' && !(value >= 1)) wrong(key, 'is less than 1', true)
  }
  if (type === 'pvh' && of('kernel') === undefined)
    wrong('kernel', 'is missing: pvh has no firmware to boot a disk', false)
  for (const key of ['on_poweroff', 'on_reboot', 'on_crash', 'on_watchdog']) {
    const value = of(key)
    if (typeof value !== 'string') continue
    if (!actions.includes(value)) wrong(key, 'is no action', false)
    else if (value.includes('restart')) wrong(key, 'would start the domain without colo', true)
  }
  return problems
}

function checkDevices(entries: readonly CfgEntry[]): ConfigProblem[] {
  const items = (key: string): string[] => {
    const value = lastValue(entries, key)
    return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
  }
  const disks = items('disk').map((text, index) => checkDisk(text, `disk[${index}]`))
  const vifs = items('vif').map((text, index) => checkVif(text, `vif[${index}]`))
  const problems = [...disks, ...vifs].flatMap((device) => device.problems)
  const coloDisks = disks.filter(({colo}) => colo)
  const coloVifs = vifs.filter(({proxy}) => proxy !== 'none')
  const vdevs = disks.flatMap(({vdev}) => vdev ?? [])
  const wrong = (where: string, problem: string): void => void problems.push({where, problem, laxity: true})
  if (new Set(vdevs).size < vdevs.length) wrong('disk', 'two disks have one vdev')
  if (coloDisks.length === 0 && coloVifs.length === 0) return problems
  return [...problems, ...checkColo(entries, {disks: disks.length, coloDisks: coloDisks.length, vifs, coloVifs})]
}

/** What libxl and QEMU need for COLO, beyond what one device shows. */
function checkColo(
  entries: readonly CfgEntry[],
  devices: {
    readonly disks: number
    readonly coloDisks: number
    readonly vifs: readonly Vif[]
    readonly coloVifs: readonly Vif[]
  },
): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const wrong = (where: string, problem: string): void => void problems.push({where, problem, laxity: true})
  const of = (key: string): unknown => lastValue(entries, key)
  if (of('type') !== 'hvm') wrong('type', 'COLO is for hvm only')
  if (of('xen_platform_pci') !== 0) wrong('xen_platform_pci', 'must be 0: COLO cannot suspend a guest with PV drivers')
  if (of('hdtype') !== undefined) wrong('hdtype', 'AHCI drops COLO without a word')
  if (of('device_model_version') !== undefined && of('device_model_version') !== 'qemu-xen') {
    wrong('device_model_version', 'COLO needs qemu-xen')
  }
  if (devices.coloDisks < devices.disks) wrong('disk', 'every disk of the VM, CD-ROMs included, must be a COLO disk')
  if (devices.coloDisks > 1) wrong('disk', 'one COLO disk per VM: libxl gives them all one name')
  if (devices.coloVifs.length > 1) wrong('vif', 'one COLO vif per VM: libxl gives their filters one name')
  if (devices.coloVifs.length < devices.vifs.length) wrong('vif', 'every vif must be compared')
  if (devices.vifs.length === 0)
    wrong('vif', 'is missing: xl crashes with a userspace proxy, and there is nothing to compare')
  return problems
}
