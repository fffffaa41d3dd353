/** Ids, ports and sockets of the userspace proxy, and the names that libxl fixes. */

/** Groups of a socket's keys in a vif: `colo_sock_GROUP_id`, `_ip`, `_port`. */
export const socketGroups = [
  'mirror',
  'compare_pri_in',
  'compare_sec_in',
  'compare_notify',
  'redirector0',
  'redirector1',
  'redirector2',
  'sec_redirector0',
  'sec_redirector1',
] as const
export type SocketGroup = (typeof socketGroups)[number]

/** ids of the character devices, as the working example of Xen's documentation has them */
export const socketIds: Readonly<Record<SocketGroup, string>> = {
  mirror: 'mirror0',
  compare_pri_in: 'compare1',
  compare_sec_in: 'compare0',
  compare_notify: 'notify0',
  redirector0: 'compare_out0',
  redirector1: 'compare1-0',
  redirector2: 'compare_out',
  sec_redirector0: 'red0',
  sec_redirector1: 'red1',
}

/** Sockets that are servers in QEMU; the others connect when QEMU starts. */
export const servers: readonly SocketGroup[] = [
  'mirror',
  'compare_pri_in',
  'compare_sec_in',
  'compare_notify',
  'redirector0',
]

/** Keys of a COLO vif besides the sockets, in the order we write them. */
export const filterKeys = [
  'colo_filter_mirror_queue',
  'colo_filter_mirror_outdev',
  'colo_filter_redirector0_queue',
  'colo_filter_redirector0_indev',
  'colo_filter_redirector1_queue',
  'colo_filter_redirector1_outdev',
  'colo_compare_pri_in',
  'colo_compare_sec_in',
  'colo_compare_out',
  'colo_compare_notify_dev',
  'colo_filter_sec_redirector0_queue',
  'colo_filter_sec_redirector0_indev',
  'colo_filter_sec_redirector1_queue',
  'colo_filter_sec_redirector1_outdev',
  'colo_filter_sec_rewriter0_queue',
  'colo_checkpoint_host',
  'colo_checkpoint_port',
] as const
export type FilterKey = (typeof filterKeys)[number]

/** Every `colo_` key that a working userspace proxy needs: 44. */
export const proxyKeys: readonly string[] = [
  ...socketGroups.flatMap((group) => ['id', 'ip', 'port'].map((part) => `colo_sock_${group}_${part}`)),
  ...filterKeys,
]

/** Known to xl as well, read and never used. */
export const idleKeys = [
  'colo_filter_redirector0_outdev',
  'colo_filter_redirector1_indev',
  'colo_filter_sec_redirector0_outdev',
  'colo_filter_sec_redirector1_indev',
] as const

/** Name under which the receiving xl builds the copy, until it takes over. */
export function incomingName(domain: string): string {
  return `${domain}--incoming`
}
