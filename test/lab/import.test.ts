import * as assert from 'uvu/assert'
import {execIn, faults, type LabHost} from '../../src/lab/index.js'
import {colo, coloOk, disk, guestAnswers, labReady, startColo, statusOf} from '../support/lab.js'
import {suite} from '../support/suite.js'

/** A plain libvirt domain that boots by its firmware from its own disk becomes a pair, and is given back. */
const test = suite('a libvirt domain becomes a pair')

const domain = 'shop'
const image = `/var/lib/colo/images/${domain}.qcow2`
/** behind the partition that the guest boots from */
const sector = (n: number): number => 140_000 + n
const drops = ['graphics', 'memballoon', 'disk[2]'].flatMap((word) => ['--drop', word])

/** As long as what it replaces. A guest that finds its clock unstable patches its kernel, which TCG does not survive (decision 16). */
const steadyClock = 's#colo.ip1=10.78.0.10/24#tsc=reliable          #'

const definition = `<domain type='qemu'>
<name>${domain}</name><uuid>5b0f6a52-8d7e-4b63-9a57-0d2c5b1e7a77</uuid>
<metadata><note:n xmlns:note='urn:example:note'>the shop</note:n></metadata>
<memory unit='MiB'>128</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>
<features><acpi/><apic/></features><clock offset='utc'/>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none' discard='unmap'/><source file='${image}'/>
<target dev='vda' bus='virtio'/><serial>SHOP-0001</serial></disk>
<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>
<interface type='bridge'><mac address='52:54:00:c0:15:10'/><source bridge='br0'/><model type='virtio'/></interface>
<serial type='file'><source path='/var/log/libvirt/qemu/${domain}-serial.log' append='on'/></serial>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<input type='tablet' bus='usb'/><graphics type='vnc' autoport='yes' passwd='secret99'/>
<video><model type='vga'/></video><rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
</devices></domain>`

const virsh = async (host: LabHost, ...args: readonly string[]): Promise<string> =>
  (await execIn(host, ['virsh', '--quiet', ...args])).stdout.trim()
const stateOn = (host: LabHost): Promise<string> => virsh(host, 'domstate', domain).catch(() => 'none')
const plainXml = (host: LabHost): Promise<string> => virsh(host, 'dumpxml', '--inactive', '--security-info', domain)

let original = ''

test('refused by name, and shown by a dry run; the domain is as before', async () => {
  await labReady()
  await execIn('alpha', [
    'sh',
    '-c',
    `cp /var/lib/colo/guest/disk.qcow2 ${image}; LC_ALL=C sed -i '${steadyClock}' ${image}; cat >/tmp/plain.xml <<'END'\n${definition}\nEND`,
  ])
  await virsh('alpha', 'define', '/tmp/plain.xml')
  await virsh('alpha', 'autostart', domain)
  original = await plainXml('alpha')

  const refused = await colo('pair', 'create', '--from-domain', domain, '--secondary', 'beta')
  assert.is(refused.exit, 6)
  const {hint} = refused.json['error'] as {hint: string}
  for (const place of ['devices/disk[2]', 'devices/graphics', 'devices/memballoon'])
    assert.ok(hint.includes(place), place)
  const dry = await coloOk('pair', 'create', '--from-domain', domain, '--secondary', 'beta', '--dry-run', ...drops)
  const {carried, changed, dropped} = dry['import'] as Record<
    'carried' | 'changed' | 'dropped',
    ReadonlyArray<{place: string}>
  >
  assert.ok(carried.some(({place}) => place === 'devices/disk[1]/serial/text()'))
  assert.ok(changed.some(({place}) => place === 'devices/interface/driver/@name'))
  assert.equal(dropped.map(({place}) => place).sort(), ['devices/disk[2]', 'devices/graphics', 'devices/memballoon'])
  assert.not.match(JSON.stringify(dry), /secret99/)
  assert.is(await plainXml('alpha'), original)

  await virsh('alpha', 'snapshot-create-as', domain, 'before')
  const held = await colo('pair', 'create', '--from-domain', domain, '--secondary', 'beta', ...drops)
  assert.is(held.exit, 5)
  assert.match((held.json['error'] as {message: string}).message, /snapshots \(before\)/)
  await virsh('alpha', 'snapshot-delete', domain, 'before')
}, 60_000)

test('shut off: becomes protected, boots by firmware from its replicated disk, and fails over', async () => {
  await coloOk('pair', 'create', '--from-domain', domain, '--secondary', 'beta', '--yes', ...drops)
  assert.is((await statusOf(domain)).state, 'protected')
  await guestAnswers()
  assert.match(await virsh('alpha', 'dominfo', domain), /Persistent: +no/)
  assert.not.match(JSON.stringify(await coloOk('pair', 'show', domain)), /secret99/)
  assert.match(await disk.write(0, sector(1), 'as-a-pair'), /written/)

  await faults.signalQemu('kill', {host: 'alpha', pair: domain})
  await coloOk('pair', 'failover', domain, '--yes')
  assert.match(await disk.read(0, sector(1)), /as-a-pair/)
  assert.match(await disk.write(0, sector(2), 'on-beta'), /written/)
  await coloOk('pair', 'wait', domain, '--for', 'unprotected')
}, 240_000)

test('the promoted disk boots by firmware, too, after a stop and a start', async () => {
  await coloOk('pair', 'stop', domain)
  assert.is((await statusOf(domain)).state, 'stopped')
  await coloOk('pair', 'start', domain)
  await guestAnswers()
  assert.match(await disk.read(0, sector(2)), /on-beta/)
  await disk.write(0, sector(3), 'after-start')
}, 120_000)

test('destroy gives the plain domain back where the current disk is; it boots there with its last write', async () => {
  await coloOk('pair', 'destroy', domain, '--yes', '--delete-copies')
  assert.is(await stateOn('alpha'), 'none')
  assert.is(await stateOn('beta'), 'shut off')
  assert.match(await virsh('beta', 'dominfo', domain), /Autostart: +enable/)
  const given = await plainXml('beta')
  for (const part of ['secret99', "device='cdrom'", "<memballoon model='virtio'", 'SHOP-0001', 'the shop', image])
    assert.ok(given.includes(part), part)
  assert.is((await execIn('alpha', ['sh', '-c', `ls ${image} 2>&1 || true`])).stdout.includes('No such file'), true)
  await virsh('beta', 'start', domain)
  await guestAnswers()
  assert.match(await disk.read(0, sector(3)), /after-start/)
}, 120_000)

test('a running domain is restarted only with --restart; interrupted in the middle it runs again as it was', async () => {
  const args = ['pair', 'create', '--from-domain', domain, '--secondary', 'alpha', '--yes', ...drops]
  const refused = await colo(...args)
  assert.is(refused.exit, 5)
  assert.match((refused.json['error'] as {hint: string}).hint, /--restart/)
  assert.is(await stateOn('beta'), 'running')
  const before = await plainXml('beta')

  const started = startColo([...args, '--restart'])
  await until(async () => /Persistent: +no/.test(await virsh('beta', 'dominfo', domain).catch(() => '')))
  started.interrupt()
  assert.is(await started.exit, 130)
  assert.is(await stateOn('beta'), 'running')
  assert.match(await virsh('beta', 'dominfo', domain), /Persistent: +yes/)
  assert.is(await plainXml('beta'), before)
  assert.is((await colo('pair', 'status', domain)).exit, 3)
  await guestAnswers()

  await coloOk(...args, '--restart')
  await guestAnswers()
  assert.match(await disk.read(0, sector(3)), /after-start/)
  assert.is((await statusOf(domain)).state, 'protected')
  await coloOk('pair', 'destroy', domain, '--yes', '--delete-copies')
  assert.is(await stateOn('beta'), 'shut off')
  await virsh('beta', 'undefine', domain)
}, 240_000)

async function until(holds: () => Promise<boolean>, limitMs = 90_000): Promise<void> {
  const end = performance.now() + limitMs
  while (!(await holds())) if (performance.now() > end) throw new Error('it never held')
}

test.run()
