import {change, never, refuse, within, type Part} from './import-sieve.js'
import type {XmlElement} from './xml-tree.js'

/** The allow-list below `<devices>`. @see libvirt docs/formatdomain.rst, "Devices" */

const alias = change("libvirt's name of the device; the guest does not see it")

const address = within({
  '@type': /^(pci|drive|usb|isa|virtio-serial)$/,
  ...Object.fromEntries(
    ['domain', 'bus', 'slot', 'function', 'multifunction', 'controller', 'target', 'unit', 'port', 'iobase', 'irq'].map(
      (name) => [`@${name}`, true],
    ),
  ),
})

/** What every device may have. */
const common = {alias, address}

const diskDriver = within({
  '@name': /^qemu$/,
  '@type': /^(raw|qcow2)$/,
  '@cache': (node): Part =>
    node.attributes['cache'] === 'unsafe'
      ? refuse('cache=unsafe loses writes that the guest was told are safe')
      : /^(default|none|writeback|writethrough|directsync)$/,
  '@io': /^(native|threads|io_uring)$/,
  '@discard': /^(unmap|ignore)$/,
  '@detect_zeroes': /^(on|off|unmap)$/,
  '@queues': /^\d{1,3}$/,
  '@queue_size': /^\d{1,4}$/,
  '@error_policy': refuse("an I/O error would stop one copy only; without it QEMU's default holds"),
  '@rerror_policy': refuse("an I/O error would stop one copy only; without it QEMU's default holds"),
  '@iothread': refuse('replication is not known to work with disks in threads of their own'),
  '@copy_on_read': refuse('has a use with a backing chain only, and chains are not replicated'),
})

const disk = within({
  '@type': (node): Part =>
    node.attributes['type'] === 'file'
      ? true
      : never(
          'a disk of a pair is a file (raw or qcow2) of its own on each host, not a block device, volume or network disk',
        ),
  '@device': true,
  '@model': /^virtio$/,
  '@snapshot': change('a pair takes no snapshots'),
  driver: diskDriver,
  source: within({
    '@file': true,
    '@index': change('a number of the running domain'),
    '@startupPolicy': refuse('a pair starts with all its disks or not at all'),
    encryption: never('an encrypted image cannot be opened without its secret on both hosts'),
    slices: never('a slice of a file is not a disk of its own'),
  }),
  backingStore: (node): Part =>
    node.children.some((part) => part.kind === 'element') || Object.keys(node.attributes).length > 0
      ? never('a backing chain is not replicated: flatten it first (virsh blockpull, or qemu-img convert)')
      : within({}),
  mirror: never('a copy or commit of this disk is under way: end it first (virsh blockjob)'),
  target: within({'@dev': true, '@bus': true, '@rotation_rate': /^\d{1,5}$/}),
  iotune: refuse('limits of this disk are not applied to a pair'),
  throttlefilters: refuse('limits of this disk are not applied to a pair'),
  serial: true,
  wwn: refuse('is not passed on'),
  vendor: refuse('belongs to SCSI disks'),
  product: refuse('belongs to SCSI disks'),
  blockio: within({'@logical_block_size': true, '@physical_block_size': true}),
  boot: within({'@order': /^\d{1,3}$/}),
  readonly: never('a disk that may not be written cannot be replicated'),
  shareable: never('a disk that other guests write too cannot be replicated'),
  transient: never('writes to this disk are thrown away at the end'),
  encryption: never('an encrypted image cannot be opened without its secret on both hosts'),
  geometry: refuse('a geometry of cylinders and heads is not passed on'),
  ...common,
})

function diskRule(node: XmlElement): Part {
  switch (node.attributes['device'] ?? 'disk') {
    case 'disk':
      return disk
    case 'cdrom':
    case 'floppy':
      return refuse('media are changed on one host only, and are not replicated')
    default:
      return never('a device of one host (SCSI passthrough) cannot be run twice')
  }
}

const offloads = within(
  Object.fromEntries(
    ['csum', 'gso', 'tso4', 'tso6', 'ecn', 'ufo', 'mrg_rxbuf'].map((name) => [`@${name}`, /^(on|off)$/]),
  ),
)

const interfaceDriver = within({
  '@name': (node): Part =>
    node.attributes['name'] === 'qemu' ? true : refuse("with vhost the kernel passes packets by QEMU's comparer"),
  '@queues': (node): Part =>
    node.attributes['queues'] === '1' ? true : refuse("QEMU's comparer takes one queue; without it the guest sees one"),
  host: offloads,
  guest: offloads,
})

const nic = within({
  '@type': (node): Part => {
    const type = node.attributes['type'] ?? ''
    if (type === 'bridge') return true
    return ['network', 'direct', 'user', 'ethernet'].includes(type)
      ? change('becomes a tap in the bridge that is named for it')
      : never('is no tap in a bridge: a device of one host cannot be run twice')
  },
  '@trustGuestRxFilters': refuse('belongs to macvtap'),
  mac: within({'@address': true, '@type': true, '@check': true}),
  source: (node): Part =>
    node.attributes['bridge'] === undefined
      ? change('becomes the bridge that is named for it')
      : within({'@bridge': true}),
  target: change('taps of pairs have names of their own'),
  model: within({
    '@type': (node): Part =>
      /^(virtio|e1000|rtl8139)$/.test(node.attributes['type'] ?? '')
        ? true
        : never('colo is known to work with virtio, e1000 and rtl8139: change the model first'),
  }),
  driver: interfaceDriver,
  boot: within({'@order': /^\d{1,3}$/}),
  rom: within({'@bar': true, '@enabled': true, '@file': refuse('a ROM file of one host')}),
  mtu: within({'@size': /^\d{2,5}$/}),
  link: within({
    '@state': (node): Part =>
      node.attributes['state'] === 'up' ? true : refuse('the link is down on purpose; a pair compares it as up'),
  }),
  filterref: refuse('rules of a network filter would be bound to a tap that only one host has'),
  bandwidth: refuse('limits of this NIC are not applied to a pair'),
  vlan: refuse('a plain Linux bridge does not tag: name one of that VLAN with --bridge'),
  virtualport: refuse('is not a plain Linux bridge: name one with --bridge'),
  tune: refuse('a send buffer is not applied to a pair'),
  ...common,
})

const controller = (node: XmlElement): Part => {
  const type = node.attributes['type'] ?? ''
  if (!['usb', 'pci', 'virtio-serial', 'sata', 'ide', 'fdc', 'scsi'].includes(type))
    return refuse('a controller that is not known to survive checkpoints')
  return within({
    '@type': true,
    '@index': true,
    '@model': /^[A-Za-z0-9-]{1,40}$/,
    '@ports': true,
    '@vectors': true,
    model: within({'@name': true}),
    target: within({'@chassis': true, '@port': true, '@chassisNr': true, '@busNr': true, '@hotplug': true}),
    master: within({'@startport': true}),
    ...common,
  })
}

const log = within({'@file': true, '@append': true})

/** A serial line that needs nothing of its host but a terminal or a file. */
const line = (node: XmlElement): Part => {
  if (!['pty', 'file', 'null'].includes(node.attributes['type'] ?? ''))
    return refuse('a line to somewhere on one host; pty, file and null are carried')
  return within({
    '@type': true,
    '@tty': change('the terminal of the running domain'),
    source: within({
      '@path': node.attributes['type'] === 'pty' ? change('the terminal of the running domain') : true,
      '@append': true,
    }),
    target: within({'@type': true, '@port': true, model: within({'@name': true})}),
    log,
    ...common,
  })
}

const channel = (node: XmlElement): Part => {
  const target = node.children.find((part): part is XmlElement => part.kind === 'element' && part.name === 'target')
  if (node.attributes['type'] !== 'unix' || target?.attributes['type'] !== 'virtio')
    return refuse('a channel to a program on one host (SPICE agent, forwarded port)')
  return within({
    '@type': true,
    source: change('each host has a socket of its own for the channel'),
    target: within({'@type': true, '@name': true, '@state': change('of the running domain')}),
    ...common,
  })
}

const input = (node: XmlElement): Part =>
  ['tablet', 'mouse', 'keyboard'].includes(node.attributes['type'] ?? '')
    ? within({'@type': true, '@bus': /^(usb|ps2|virtio)$/, '@model': true, ...common})
    : refuse('an input device of one host')

const video = (node: XmlElement): Part => {
  const model = node.children.find((part): part is XmlElement => part.kind === 'element' && part.name === 'model')
  if (!['vga', 'cirrus', 'bochs', 'virtio', 'none'].includes(model?.attributes['type'] ?? ''))
    return refuse('qxl and its like crash the secondary; without it the guest has no display adapter')
  return within({
    model: within({
      '@type': true,
      '@vram': true,
      '@vgamem': true,
      '@ram': true,
      '@heads': true,
      '@primary': true,
      '@blob': /^off$/,
      acceleration: within({'@accel3d': /^no$/, '@accel2d': /^no$/}),
      resolution: within({'@x': true, '@y': true}),
    }),
    ...common,
  })
}

const rng = within({
  '@model': /^virtio$/,
  backend: within({'@model': /^random$/, '#text': /^\/dev\/u?random$/}),
  rate: within({'@bytes': true, '@period': true}),
  ...common,
})

export const deviceRules = within({
  emulator: (node) =>
    node.children.some(
      (part) => part.kind === 'text' && /^\/usr\/(bin|libexec)\/(qemu-system-x86_64|qemu-kvm|kvm)$/.test(part.text),
    )
      ? change("each host's own QEMU, the one `colo host check` looked at")
      : refuse('a QEMU of its own; pairs run with the one `colo host check` looked at'),
  disk: diskRule,
  interface: nic,
  controller,
  serial: line,
  console: line,
  channel,
  input,
  video,
  rng,
  memballoon: (node) =>
    node.attributes['model'] === 'none'
      ? within({'@model': true})
      : refuse('a balloon takes memory from one copy only; without it the guest has no balloon device'),
  watchdog: (node) =>
    node.attributes['model'] === 'itco'
      ? within({'@model': true, '@action': /^(reset|none)$/, ...common})
      : refuse('would act on one copy alone'),
  panic: within({'@model': /^(isa|hyperv)$/, ...common}),
  audio: (node) =>
    node.attributes['type'] === 'none'
      ? within({'@id': true, '@type': true})
      : refuse('sound goes to a program on one host'),
  sound: refuse('sound goes to a program on one host'),
  graphics: refuse('a display of one copy; input through it would reach one copy only'),
  redirdev: refuse('a device of the person who looks at the display'),
  smartcard: refuse('a device of one host'),
  hub: refuse('a USB hub is not known to survive checkpoints'),
  hostdev: refuse('a device of one host cannot be run twice'),
  filesystem: refuse('a shared folder is not replicated'),
  shmem: refuse('memory shared with others is not replicated'),
  vsock: refuse('a socket to one host'),
  parallel: refuse('a line to somewhere on one host'),
  memory: never('a memory device (DIMM, NVDIMM) cannot be replicated'),
  iommu: never('an IOMMU is not known to survive checkpoints'),
  tpm: never("a TPM's state is not replicated, and without it the guest's secrets are lost"),
  nvram: never('belongs to other architectures'),
})
