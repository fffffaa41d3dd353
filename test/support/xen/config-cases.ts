import {readFileSync} from 'node:fs'
import {fileURLToPath} from 'node:url'

import {parsePairFile} from '../../../src/config/pair-file.js'
import type {PairIdentity} from '../../../src/pair/identity.js'
import {buildXenConfig} from '../../../src/xen/config.js'

const template = readFileSync(fileURLToPath(new URL('../../../templates/xen/domain.cfg', import.meta.url)), 'utf8')

/** A COLO pair, as a user writes it. */
export const coloPair = `apiVersion: colo/v1
kind: Pair
name: xweb
engine: xen
hosts: {primary: xa, secondary: xb}
vm: {memory: 192MiB, vcpus: 1, kernel: {image: /xen/vmlinuz, initrd: /xen/guest.img, cmdline: 'console=ttyS0 nopv quiet'}}
disks:
  - {name: root, image: /var/lib/colo/images/xweb.raw, format: raw, size: 1MiB, scratch: /run/colo/scratch}
nics:
  - {name: net0, mac: '00:16:3e:00:00:11', bridge: br0, uncompared: pass}
`

/** A pair that Remus protects. */
export const remusPair = `apiVersion: colo/v1
kind: Pair
name: xrem
engine: xen
mode: checkpoint
hosts: {primary: xa, secondary: xb}
vm: {memory: 128MiB, type: pvh, kernel: {image: /xen/vmlinuz, initrd: /xen/guest.img, cmdline: 'console=hvc0 mitigations=off quiet'}}
checkpoint: {interval: 500ms}
`

/** What a record of such a pair holds besides its spec. */
export function xenIdentity(text: string): PairIdentity {
  return {
    uuid: '6d1f7a52-0000-4000-8000-000000000001',
    spec: parsePairFile(text, 'pair.yaml'),
    ports: {
      migration: 9101,
      nbd: 9102,
      nics: [{mirror: 9103, compare: 9104}],
      xen: {compareIn: 9105, compareOut: 9106, notify: 9107},
    },
    addresses: {xa: '10.90.0.1', xb: '10.90.0.2'},
    beaconPorts: {xa: 9100, xb: 9100},
    beaconKey: '00'.repeat(32),
    machine: 'hvm',
    accel: 'tcg',
  }
}

export function configOf(text: string): string {
  const built = buildXenConfig(xenIdentity(text), {primary: 'xa', secondary: 'xb'}, template)
  if ('problems' in built) throw new Error(JSON.stringify(built.problems))
  return built.text
}

/** One xl.cfg, what the real xl says of it, and whether colo takes it. */
export interface ConfigCase {
  readonly text: string
  /** `xl create -n` ends with 0 and complains of nothing */
  readonly xl: 'accepts' | 'refuses'
  readonly colo: 'accepts' | 'refuses'
}

const colo = configOf(coloPair)
const kernelProxy = configOf(coloPair.replace('uncompared: pass', 'uncompared: pass, forward: {via: tc, nic: eth1}'))
const remus = configOf(remusPair)
const disk = /^disk = .*$/m.exec(colo)?.[0] ?? ''
const vif = /^vif = .*$/m.exec(colo)?.[0] ?? ''

const good = (text: string): ConfigCase => ({text, xl: 'accepts', colo: 'accepts'})
const bad = (text: string): ConfigCase => ({text, xl: 'refuses', colo: 'refuses'})
/** one of the things that xl lets pass */
const lax = (text: string): ConfigCase => ({text, xl: 'accepts', colo: 'refuses'})

/** A change of the COLO configuration. @throws when there is nothing to change */
function edit(from: string | RegExp, to: string, text = colo): string {
  const edited = text.replace(from, to)
  if (edited === text) throw new Error(`nothing to replace: ${String(from)}`)
  return edited
}

const without = (key: string): string => edit(new RegExp(`,${key}=[^,']*`), '')
const specified = (pair: string, from: string, to: string): ConfigCase => good(configOf(pair.replace(from, to)))

/** Disks, vifs, proxies, the language itself: every laxity of docs/xen.md is here. */
export const configCases: Readonly<Record<string, ConfigCase>> = {
  'colo, userspace proxy': good(colo),
  'colo, kernel proxy': good(kernelProxy),
  'remus, pvh': good(remus),
  'remus, hvm': specified(remusPair, 'type: pvh', 'type: hvm'),
  'remus, a NIC': specified(
    remusPair,
    'checkpoint: {',
    "nics: [{name: n, mac: '00:16:3e:00:00:12', bridge: br0}]\ncheckpoint: {",
  ),
  'remus, two NICs': specified(
    remusPair,
    'checkpoint: {',
    "nics: [{name: n, mac: '00:16:3e:00:00:12', bridge: br0}, {name: m, mac: '00:16:3e:00:00:13', bridge: br1}]\ncheckpoint: {",
  ),
  'qcow2 disk': specified(coloPair, 'format: raw', 'format: qcow2'),
  rtl8139: specified(coloPair, 'uncompared', 'model: rtl8139, uncompared'),
  'boots from its disk': specified(coloPair, /, kernel: \{.*\}\}/.exec(coloPair)?.[0] ?? '', '}'),
  'quotes and backslashes in the command line': specified(coloPair, 'nopv quiet', 'nopv a="b c" d=\\e'),
  'an apostrophe in the command line': specified(coloPair, 'nopv quiet', "nopv it''s"),
  'four vcpus, 4 TiB': specified(coloPair, 'memory: 192MiB, vcpus: 1', 'memory: 4TiB, vcpus: 4'),
  'settings separated by semicolons': good(edit('vcpus = 1\n', 'vcpus = 1; ')),
  'comments and empty lines': good(`# a comment\n\n${colo}\n# the end\n`),
  'a list over several lines': good(edit(/^disk = \[ (.*) \]$/m, 'disk = [\n  $1,\n]')),
  'xvda for hda': good(edit('vdev=hda', 'vdev=xvda')),

  'disk: misspelt key': bad(edit('hidden-disk=', 'hiddn-disk=')),
  'disk: vdev twice': bad(edit('vdev=hda', 'vdev=hda,vdev=hdb')),
  'disk: export twice': bad(edit('colo-export=export0', 'colo-export=export0,colo-export=export1')),
  'disk: stray word': bad(edit('access=rw,', 'access=rw,/another,')),
  'disk: port is a word': bad(edit('colo-port=9102', 'colo-port=abc')),
  'disk: port 0': bad(edit('colo-port=9102', 'colo-port=0')),
  'disk: empty port': bad(edit('colo-port=9102', 'colo-port=')),
  'disk: unknown format': bad(edit('format=raw', 'format=vmdk')),
  'disk: unknown access': bad(edit('access=rw', 'access=both')),
  'disk: unknown back end': bad(edit('backendtype=qdisk', 'backendtype=disk')),
  'disk: no vdev': bad(edit('vdev=hda,', '')),
  'disk: no target': bad(edit(/,target=[^']*/, '')),
  'disk: no list': bad(edit(/^disk = \[ (.*) \]$/m, 'disk = $1')),
  'vif: misspelt key': bad(edit('bridge=', 'brigde=')),
  'vif: blanks around =': bad(edit('colo_sock_mirror_port=', 'colo_sock_mirror_port = ')),
  'vif: no key': bad(edit(',colo_checkpoint_host', ',colo,colo_checkpoint_host')),
  'vif: unknown type': bad(edit('type=ioemu', 'type=emu')),
  'vif: no MAC address': bad(edit('mac=00:16:3e:00:00:11', 'mac=00:16:3e:00:00:zz')),
  'no name': bad(edit(/^name = .*\n/m, '')),
  'unknown type': bad(edit('type = "hvm"', 'type = "kvm"')),
  'pvh without kernel': bad(edit(/^kernel = .*\n/m, '', remus)),
  'memory is a word': bad(edit('memory = 192', 'memory = "much"')),
  'unknown action': bad(edit('on_reboot = "destroy"', 'on_reboot = "reboot"')),
  'upper-case name': bad(edit('vcpus', 'Vcpus')),
  'comment without an end': bad(`${colo}# the end`),
  'open string': bad(edit('"xweb"', '"xweb')),
  'open list': bad(`${edit(/^vif = .*\n/m, '')}vif = [ 'bridge=br0'`),
  'unknown escape': bad(edit('"xweb"', '"xweb\\q"')),
  'two values': bad(edit('vcpus = 1', 'vcpus = 1 2')),
  'no value': bad(edit('vcpus = 1', 'vcpus =')),

  'lax: no colo-host': lax(without('colo-host')),
  'lax: no colo-port': lax(without('colo-port')),
  'lax: no colo-export': lax(without('colo-export')),
  'lax: no active-disk': lax(without('active-disk')),
  'lax: no hidden-disk': lax(without('hidden-disk')),
  'lax: port out of range': lax(edit('colo-port=9102', 'colo-port=99999')),
  'lax: negative port': lax(edit('colo-port=9102', 'colo-port=-5')),
  'lax: port with letters behind': lax(edit('colo-port=9102', 'colo-port=9102abc')),
  'lax: colo-host is no address': lax(edit('colo-host=10.90.0.2', 'colo-host=beta')),
  'lax: colo-export is no id': lax(edit('colo-export=export0', 'colo-export=0 export')),
  'lax: one overlay for two': lax(edit('xweb-root.hidden.qcow2', 'xweb-root.active.qcow2')),
  'lax: back end phy': lax(edit('backendtype=qdisk', 'backendtype=phy')),
  'lax: read-only': lax(edit('access=rw', 'access=ro')),
  'lax: not one of four IDE disks': lax(edit('vdev=hda', 'vdev=xvde')),
  'lax: SCSI disk': lax(edit('vdev=hda', 'vdev=sda')),
  'lax: AHCI': lax(`${colo}hdtype = "ahci"\n`),
  'lax: target as a stray word': lax(edit(/disk = \[ '(.*),target=([^']*)' \]/, "disk = [ '$2,$1' ]")),
  'lax: port twice': lax(edit('colo-port=9102', 'colo-port=9102,colo-port=9103')),
  'lax: MAC too short': lax(edit('mac=00:16:3e:00:00:11', 'mac=00:16:3e:00:00')),
  'lax: a disk that is not COLO': lax(edit(disk, `${disk.slice(0, -2)}, 'format=raw,vdev=hdb,target=/b.raw' ]`)),
  'lax: a CD-ROM': lax(edit(disk, `${disk.slice(0, -2)}, 'vdev=hdc,cdrom,target=/c.iso' ]`)),
  'lax: two COLO disks': lax(edit(disk, twice(disk).replace(/hda(?!.*hda)/, 'hdb'))),
  'lax: two disks, one vdev': lax(edit(disk, twice(disk))),
  'lax: a key of the proxy is missing': lax(without('colo_compare_notify_dev')),
  'lax: no checkpoint socket': lax(edit(/,colo_checkpoint_host=.*(?=' \])/, '')),
  'lax: key of a vif twice': lax(
    edit('colo_compare_pri_in=compare1', 'colo_compare_pri_in=a,colo_compare_pri_in=compare1'),
  ),
  'lax: empty value in a vif': lax(edit('colo_sock_mirror_id=mirror0', 'colo_sock_mirror_id=')),
  'lax: port of the proxy out of range': lax(edit(/colo_sock_mirror_port=\d+/, 'colo_sock_mirror_port=999999')),
  'lax: address of the proxy is a name': lax(edit(/colo_sock_mirror_ip=[\d.]+/, 'colo_sock_mirror_ip=alpha')),
  'lax: unknown queue': lax(edit('colo_filter_mirror_queue=tx', 'colo_filter_mirror_queue=up')),
  'lax: filter at the wrong socket': lax(edit('colo_compare_out=compare_out', 'colo_compare_out=compare_out0')),
  'lax: client for no server': lax(edit('colo_sock_redirector2_port=9106', 'colo_sock_redirector2_port=9999')),
  'lax: two servers at one port': lax(edit('colo_sock_compare_sec_in_port=9104', 'colo_sock_compare_sec_in_port=9103')),
  'lax: COLO on a vif that is not emulated': lax(edit('type=ioemu', 'type=vif')),
  'lax: two COLO vifs': lax(edit(vif, twice(vif))),
  'lax: both proxies': lax(edit('bridge=br0', 'bridge=br0,forwarddev=eth1')),
  'lax: a vif that is not compared': lax(edit(vif, `${vif.slice(0, -2)}, 'bridge=br1,mac=00:16:3e:00:00:12' ]`)),
  'lax: no MAC': lax(edit('mac=00:16:3e:00:00:11,', '')),
  'lax: no vif': lax(edit(vif, 'vif = [ ]')),
  'lax: unknown setting': lax(edit('xen_platform_pci', 'xen_platform_pic')),
  'lax: PV drivers': lax(edit('xen_platform_pci = 0', 'xen_platform_pci = 1')),
  'lax: COLO for pvh': lax(edit('type = "hvm"', 'type = "pvh"')),
  'lax: a setting twice': lax(`${colo}vcpus = 2\n`),
  'lax: no memory': lax(edit(/^memory = .*\n/m, '')),
  'lax: no type': lax(edit(/^type = .*\n/m, '', remus)),
  'lax: a name that is a number': lax(edit('"xweb"', '"17"')),
  'lax: name of a receiving domain': lax(edit('"xweb"', '"xweb--incoming"')),
  'lax: no vcpus': lax(edit('vcpus = 1', 'vcpus = 0')),
  'lax: starts again by itself': lax(edit('on_poweroff = "destroy"', 'on_poweroff = "restart"')),
}

function twice(line: string): string {
  const [head = '', item = ''] = line.slice(0, -2).split(' [ ')
  return `${head} [ ${item}, ${item} ]`
}
