import {assemble, op, type ProgramLine} from './bpf.js'
import {bpfObject} from './object-file.js'

/**
 * A program for the kernel that makes the packets of a secondary's virtio NIC like those of the primary, before QEMU's comparer sees them.
 *
 * QEMU takes the primary's packets from the NIC itself, each behind a vnet header of 12 bytes. The secondary's come over a link and a tap, and
 * differ: they have no such header, a real link lengthens frames to 60 bytes, and so does QEMU's tap. The comparer expects the payload of
 * UDP and ICMP where the primary's packet has it, 12 bytes further on, and takes what was added to a short TCP segment for data: each
 * acknowledgement then differs. So what a link added is cut off, and each IPv4 header gets 12 bytes of empty options ("no operation"), which
 * puts everything in its place and makes the shortest TCP segment too long to be lengthened. Nobody but the comparer sees these packets.
 *
 * @see qemu/qemu net/colo-compare.c, colo_packet_compare_udp, fill_pkt_tcp_info; net/tap.c, tap_send; decision 41
 */
export function levellerObject(): Buffer {
  return bpfObject({section: programSection, code: assemble(program), license: 'GPL'})
}

/** tc shows it, so that an older program is told from this one: another number whenever the program changes. */
export const programSection = 'colo_level_1'
/** not where the saved state of NICs is: it stays when nobody forwards any more */
export const programRoot = '/run/colo/tc'
export const programPath = `${programRoot}/${programSection}.o`
/** As tc names it. */
export const programName = `${programSection}.o:[${programSection}]`

const ethernetBytes = 14
/** where the options go: behind the Ethernet header and an IPv4 header without any */
const optionsAt = ethernetBytes + 20
/** sizeof(struct virtio_net_hdr_mrg_rxbuf), what a guest with a driver of this century uses */
const vnetBytes = 12

/** places on the stack, from its end */
const headers = -16
const scratch = -32
/** bytes 12 to 23 of the frame are kept there: EtherType, version and length of the header, length of the packet */
const header = (frameOffset: number): number => headers + frameOffset - 12

const program: readonly ProgramLine[] = [
  op.copy(6, 1),
  ...withBytes('loadBytes', {at: 12, stack: headers, count: 12}),
  op.jumpUnless(0, 0, 'done'),
  op.load16(1, 10, header(12)),
  op.network16(1),
  op.jumpUnless(1, 0x0800, 'done'),
  // register 7: how long the frame is by its own word
  op.load16(7, 10, header(16)),
  op.network16(7),
  op.and(7, 0xffff),
  op.add(7, ethernetBytes),
  op.load32(2, 6, 0), // __sk_buff.len
  op.jumpIfAbove(7, 2, 'done'),
  op.jumpIfSame(7, 2, 'trimmed'),
  ...call('changeTail', op.copy(2, 7), op.set(3, 0)),
  op.jumpUnless(0, 0, 'done'),
  'trimmed',
  op.load8(1, 10, header(14)),
  op.jumpUnless(1, 0x45, 'done'), // has options of its own: left as it is
  ...call('adjustRoom', op.set(2, vnetBytes), op.set(3, 0), op.set(4, 0)),
  op.jumpUnless(0, 0, 'done'),
  ...[0, 4, 8].map((offset) => op.store32(10, scratch + offset, 0x01010101)),
  ...withBytes('storeBytes', {at: optionsAt, stack: scratch, count: vnetBytes}),
  op.set(1, 0x45 + vnetBytes / 4),
  op.store8(10, scratch, 1),
  ...withBytes('storeBytes', {at: ethernetBytes, stack: scratch, count: 1}),
  op.add(7, vnetBytes - ethernetBytes),
  op.network16(7),
  op.store16(10, scratch, 7),
  ...withBytes('storeBytes', {at: 16, stack: scratch, count: 2}),
  ...call('replaceIpv4Sum', op.set(2, 24), op.set(3, 0), op.set(4, addedSum()), op.set(5, 0)),
  'done',
  op.set(0, -1), // every frame goes on
  op.exit,
]

/** What the longer header, the greater length and the options add to the header's checksum, as a little-endian machine reads it. */
function addedSum(): number {
  const sum = ((vnetBytes / 4) << 8) + vnetBytes + (vnetBytes / 2) * 0x0101
  return ((sum & 0xff) << 8) | (sum >> 8)
}

/** The packet is the first argument of each helper; register 6 keeps it. */
function call(helper: Parameters<typeof op.call>[0], ...args: readonly ProgramLine[]): ProgramLine[] {
  return [op.copy(1, 6), ...args, op.call(helper)]
}

function withBytes(
  helper: 'loadBytes' | 'storeBytes',
  {at, stack, count}: {readonly at: number; readonly stack: number; readonly count: number},
): ProgramLine[] {
  return call(helper, op.set(2, at), op.copy(3, 10), op.add(3, stack), op.set(4, count), op.set(5, 0))
}
