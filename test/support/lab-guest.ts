import {waitFor, type LabSandbox} from './lab-sandbox.js'

export interface GuestPlace {
  readonly host: string
  readonly name: string
  readonly nic: 'virtio' | 'e1000'
  readonly bus: 'virtio' | 'ide'
}

/** Boots the firmware disk in a host, with two NICs, and waits for its services. It has the addresses .10. */
export async function bootGuest(sandbox: LabSandbox, guest: GuestPlace): Promise<void> {
  const {host, name} = guest
  await sandbox.on(host, ['cp', '/var/lib/colo/guest/disk.qcow2', imageOf(name)])
  const create = `cat >/tmp/${name}.xml <<'END'\n${domainXml(guest)}\nEND\nvirsh -q create /tmp/${name}.xml`
  await sandbox.on(host, ['sh', '-c', create])
  const ready = async (): Promise<boolean> =>
    (await sandbox.on(host, ['cat', `/tmp/${name}.log`])).stdout.includes('GUEST READY')
  await waitFor(ready, `guest ${name}`, 90_000)
}

/** The body of a page, as the client gets it. */
export async function get(sandbox: LabSandbox, url: string): Promise<string> {
  return (await sandbox.on('client', ['curl', '-gsS', '-m', '10', url])).stdout
}

/** Whether one ping is answered within a second. */
export async function reaches(sandbox: LabSandbox, from: string, address: string): Promise<boolean> {
  return sandbox.on(from, ['ping', '-c1', '-W1', address]).then(
    () => true,
    () => false,
  )
}

const imageOf = (name: string): string => `/var/lib/colo/images/${name}.qcow2`

function domainXml({name, nic, bus}: GuestPlace): string {
  const target = bus === 'virtio' ? 'vda' : 'hda'
  const nics = ['br0', 'br1'].map(
    (bridge, index) =>
      `<interface type='bridge'><mac address='52:54:00:c0:10:0${index}'/><source bridge='${bridge}'/><model type='${nic}'/></interface>`,
  )
  return `<domain type='qemu'><name>${name}</name><memory unit='MiB'>128</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features><devices>
<emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file'><driver name='qemu' type='qcow2'/><source file='${imageOf(name)}'/><target dev='${target}' bus='${bus}'/></disk>
${nics.join('\n')}
<serial type='file'><source path='/tmp/${name}.log'/></serial></devices></domain>`
}
