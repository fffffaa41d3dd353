import {deviceRules} from './import-device-rules.js'
import {change, never, refuse, within, type Part} from './import-sieve.js'

/**
 * The allow-list of a foreign definition: everything that may be carried into both members as it is, or is read into the spec. What is
 * not named here is refused.
 *
 * @see libvirt docs/formatdomain.rst
 */

const state = within({'@state': /^(on|off)$/})
const hostTuning = refuse('tunes one host and is not known to fit the other')

/** Enlightenments that are state of the virtual CPU, and migrate. */
const hyperv = within({
  '@mode': /^custom$/,
  ...Object.fromEntries(
    ['relaxed', 'vapic', 'vpindex', 'runtime', 'synic', 'reset', 'frequencies', 'reenlightenment', 'ipi', 'avic'].map(
      (name) => [name, state],
    ),
  ),
  spinlocks: within({'@state': true, '@retries': true}),
  vendor_id: within({'@state': true, '@value': true}),
  stimer: within({'@state': true, direct: state}),
  tlbflush: within({'@state': true, direct: state, extended: state}),
})

const features = within({
  acpi: within({}),
  apic: within({'@eoi': true}),
  pae: within({}),
  privnet: within({}),
  viridian: within({}),
  hap: state,
  hyperv,
  kvm: within({hidden: state, 'hint-dedicated': state, 'poll-control': state, 'pv-ipi': state}),
  pvspinlock: state,
  pmu: state,
  vmport: state,
  ioapic: within({'@driver': true}),
  smm: within({'@state': true, tseg: within({'@unit': true, '#text': true})}),
  vmcoreinfo: state,
  msrs: within({'@unknown': true}),
})

const cpu = within({
  '@mode': /^(custom|host-passthrough|host-model|maximum)$/,
  '@match': true,
  '@check': true,
  '@migratable': (node) => (node.attributes['migratable'] === 'off' ? refuse('a guest that cannot migrate') : true),
  model: within({'@fallback': true, '@vendor_id': true, '#text': true}),
  vendor: true,
  topology: within({'@sockets': true, '@dies': true, '@clusters': true, '@cores': true, '@threads': true}),
  feature: (node) =>
    node.attributes['name'] === 'invtsc' && node.attributes['policy'] !== 'disable'
      ? refuse('invtsc forbids migration, and with it every checkpoint')
      : within({'@name': true, '@policy': true}),
  cache: within({'@mode': true, '@level': true}),
  maxphysaddr: within({'@mode': true, '@bits': true}),
  numa: within({cell: within({'@id': true, '@cpus': true, '@memory': true, '@unit': true})}),
})

const clock = within({
  '@offset': /^(utc|localtime|timezone|variable)$/,
  '@timezone': true,
  '@adjustment': true,
  '@basis': true,
  timer: within({
    '@name': true,
    '@tickpolicy': true,
    '@present': true,
    '@frequency': true,
    '@mode': true,
    '@track': true,
    catchup: within({'@threshold': true, '@slew': true, '@limit': true}),
  }),
})

const nvram = never("the firmware's variables are state in a file of each host, which no checkpoint makes equal")

const os = within({
  '@firmware': never(
    'firmware chosen by libvirt comes with variables (NVRAM), and may be another one on the other host',
  ),
  type: within({'@arch': /^x86_64$/, '@machine': true, '#text': /^hvm$/}),
  loader: (node) =>
    node.attributes['type'] === 'pflash' && node.attributes['stateless'] !== 'yes'
      ? nvram
      : within({
          '@readonly': /^yes$/,
          '@type': /^(rom|pflash)$/,
          '@stateless': /^yes$/,
          '@secure': /^no$/,
          '@format': /^raw$/,
          '#text': true,
        }),
  nvram,
  boot: within({'@dev': /^(hd|network|cdrom|fd)$/}),
  bootmenu: within({'@enable': true, '@timeout': true}),
  smbios: within({'@mode': true}),
  bios: within({'@useserial': true, '@rebootTimeout': true}),
  kernel: true,
  initrd: true,
  cmdline: true,
})

const entries = within({entry: within({'@name': true, '#text': true})})
const sysinfo = within({
  '@type': /^smbios$/,
  bios: entries,
  system: entries,
  baseBoard: entries,
  chassis: entries,
  oemStrings: entries,
})

const sleep = within({'@enabled': /^no$/})

export const domainRules = within({
  '@type': /^(kvm|qemu)$/,
  '@id': change('number of the running domain'),
  name: true,
  uuid: true,
  title: true,
  description: true,
  metadata: within({'**': true}),
  memory: within({'@unit': true, '#text': true, '@dumpCore': hostTuning}),
  currentMemory: within({'@unit': true, '#text': true}),
  maxMemory: refuse('memory cannot be plugged into one copy only'),
  vcpu: within({
    '#text': true,
    '@placement': /^static$/,
    '@cpuset': hostTuning,
    '@current': refuse('CPUs cannot be plugged into one copy only'),
  }),
  vcpus: refuse('CPUs cannot be plugged into one copy only'),
  iothreads: refuse('the comparer and replication are not known to work with disks in threads of their own'),
  iothreadids: refuse('the comparer and replication are not known to work with disks in threads of their own'),
  cputune: hostTuning,
  numatune: hostTuning,
  blkiotune: hostTuning,
  memtune: hostTuning,
  resource: (node): Part =>
    node.children.some((child) => child.kind === 'element' && !(child.name === 'partition' && isDefault(child)))
      ? hostTuning
      : change("libvirt's own default"),
  memoryBacking: refuse('locked, shared or huge pages of one host: a secondary holds its memory twice'),
  sysinfo,
  os,
  features,
  cpu,
  clock,
  on_poweroff: /^(destroy|restart)$/,
  on_reboot: /^(destroy|restart)$/,
  on_crash: (node) =>
    node.children.some((child) => child.kind === 'text' && child.text.startsWith('coredump-'))
      ? change('what comes after the dump; its memory is not written to a file')
      : /^(destroy|restart|preserve)$/,
  pm: within({'suspend-to-mem': sleep, 'suspend-to-disk': sleep}),
  seclabel: (node) =>
    node.attributes['type'] === 'none' ? change('as in the template of pairs') : refuse('labels of one host'),
  genid: refuse('a new generation id at each start would tell the guest that it was rolled back'),
  launchSecurity: never('encrypted memory cannot be copied at checkpoints'),
  'qemu:commandline': never('arguments for QEMU that nobody can check'),
  'qemu:override': never('properties for QEMU that nobody can check'),
  'qemu:capabilities': never('capabilities of QEMU that nobody can check'),
  devices: deviceRules,
})

function isDefault(partition: {readonly children: ReadonlyArray<{readonly kind: string}>}): boolean {
  return partition.children.every((part) => part.kind === 'text' && 'text' in part && part.text === '/machine')
}
