/** The demonstration pair: the lab's own tiny guest, one disk, one NIC. */
export const demoPair = 'demo'
export const demoAddress = '10.77.0.10'

/** A pair file as a person would write it. */
export function demoPairFile(): string {
  return `apiVersion: colo/v1
kind: Pair
name: ${demoPair}
hosts: {primary: alpha, secondary: beta}
vm:
  memory: 128MiB
  vcpus: 1
  kernel:
    image: /var/lib/colo/guest/vmlinuz
    initrd: /var/lib/colo/guest/initrd.img
    cmdline: console=ttyS0 quiet panic=1 tsc=reliable colo.ip0=${demoAddress}/24 colo.ip60=fd77::10/64
disks:
  - {name: root, image: /var/lib/colo/images/${demoPair}.qcow2, format: qcow2, size: 64MiB, bus: virtio}
nics:
  - {name: net0, mac: '52:54:00:77:00:de', model: virtio, bridge: br0}
checkpoint: {interval: 1s, compareTimeout: 3s}
`
}

/** One thing that happened, for the timeline at the end. */
export interface DemoEvent {
  readonly atMs: number
  readonly text: string
}

/** The timeline as text: seconds since the first event. */
export function formatTimeline(events: readonly DemoEvent[]): string[] {
  const start = events[0]?.atMs ?? 0
  return events.map(({atMs, text}) => `${((atMs - start) / 1000).toFixed(2).padStart(8)} s  ${text}`)
}
