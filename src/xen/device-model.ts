import {imagePath, layoutOfPair, type PairIdentity} from '../pair/identity.js'
import type {XenSides} from './config.js'
import {proxySockets} from './layout.js'
import {servers, socketIds, type SocketGroup} from './names.js'

/** One option of QEMU with its value. */
export type DeviceModelArg = readonly [option: '-drive' | '-chardev' | '-object', value: string]

/** Sockets that exist on the primary, in the order in which libxl writes them. */
const primarySockets: readonly SocketGroup[] = [
  'mirror',
  'compare_pri_in',
  'compare_sec_in',
  'compare_notify',
  'redirector0',
  'redirector1',
  'redirector2',
]

/**
 * What libxl 4.17 makes of a COLO pair's configuration when it starts the primary's QEMU: the quorum of its disk, the sockets and filters of
 * the userspace proxy. A VM whose QEMU has less is not protected, whatever xl says.
 *
 * @see xen-project/xen tools/libs/light/libxl_dm.c
 */
export function primaryDeviceModelArgs(identity: PairIdentity, sides: XenSides): DeviceModelArg[] {
  return [...socketArgs(identity, sides), ...filterArgs(), ...driveArgs(identity, sides)]
}

function driveArgs(identity: PairIdentity, {primary}: XenSides): DeviceModelArg[] {
  return layoutOfPair(identity).disks.map((disk) => [
    '-drive',
    [
      'if=ide,index=0,media=disk,cache=writeback,driver=quorum',
      `id=${disk.exportId}`,
      `children.0.file.filename=${imagePath(disk, primary)}`,
      `children.0.driver=${disk.spec.format}`,
      'read-pattern=fifo,vote-threshold=1',
    ].join(','),
  ])
}

export function socketArgs(identity: PairIdentity, {primary}: XenSides): DeviceModelArg[] {
  const sockets = proxySockets(identity, primary)
  return primarySockets.map((group) => {
    const {ip, port} = sockets[group]
    const server = servers.includes(group) ? ',server=on,wait=off' : ''
    return ['-chardev', `socket,id=${socketIds[group]},host=${ip},port=${port}${server}`]
  })
}

export function filterArgs(): DeviceModelArg[] {
  return [
    ['-object', `filter-mirror,id=m1,netdev=net0,queue=tx,outdev=${socketIds.mirror}`],
    ['-object', `filter-redirector,id=r1,netdev=net0,queue=rx,indev=${socketIds.redirector0}`],
    ['-object', `filter-redirector,id=r2,netdev=net0,queue=rx,outdev=${socketIds.redirector1}`],
    ['-object', 'iothread,id=colo-compare-iothread-1'],
    [
      '-object',
      `colo-compare,id=c1,primary_in=${socketIds.compare_pri_in},secondary_in=${socketIds.compare_sec_in},outdev=${socketIds.redirector2},` +
        `notify_dev=${socketIds.compare_notify},iothread=colo-compare-iothread-1`,
    ],
  ]
}

/**
 * Reads the options with which a device model runs back from /proc/PID/cmdline: those that COLO added.
 *
 * @param cmdline  words ended by NUL
 */
export function coloArgsOf(cmdline: string): DeviceModelArg[] {
  const words = cmdline.split('\0')
  return words.flatMap((word, index): DeviceModelArg[] => {
    const value = words[index + 1] ?? ''
    if (word === '-drive' && /driver=(quorum|replication)/.test(value)) return [[word, value]]
    if (word === '-chardev' && /^socket,id=[^,]+,host=/.test(value)) return [[word, value]]
    if (word === '-object' && /^(filter-|colo-compare|iothread)/.test(value)) return [[word, value]]
    return []
  })
}
