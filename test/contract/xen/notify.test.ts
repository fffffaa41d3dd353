import * as assert from 'uvu/assert'
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {connect, createServer, type Socket} from 'node:net'

import {filterArgs, socketArgs} from '../../../src/xen/device-model.js'
import {proxySockets} from '../../../src/xen/layout.js'
import type {SocketGroup} from '../../../src/xen/names.js'
import type {PairIdentity} from '../../../src/pair/identity.js'
import {suite, type T} from '../../support/suite.js'
import {coloPair, xenIdentity} from '../../support/xen/config-cases.js'

/**
 * libxl's half of the userspace proxy, spoken to a stock QEMU that has exactly what libxl would pass to it for a pair of ours. Frames on
 * every socket: 4 bytes of length, big-endian, then that many bytes.
 *
 * @see xen-project/xen tools/libs/light/libxl_colo_proxy.c; qemu/qemu net/colo-compare.c
 */
const test = suite("the comparer's notify socket, as libxl uses it")

const mac = Buffer.from('ffffffffffff525400123456', 'hex')
const arp = Buffer.concat([mac, Buffer.from('0806', 'hex'), Buffer.alloc(46)])

test('INIT is answered, a checkpoint is not, and a packet that has no twin asks for one', async (t) => {
  const qemu = await start(t, 'as libxl wires it')
  const notify = await qemu.open('compare_notify')
  notify.send(Buffer.from('COLO_USERSPACE_PROXY_INIT'))
  assert.is(String(await notify.frame()), 'COLO_COMPARE_GET_XEN_INIT')
  notify.send(Buffer.from('COLO_CHECKPOINT'))
  const secondary = await qemu.open('compare_sec_in')
  secondary.send(udp('only the secondary says this'))
  // nothing came between: the checkpoint had no answer of its own
  assert.is(String(await notify.frame()), 'DO_CHECKPOINT')
}, 120_000)

test('what the guest says is withheld until libxl says that the checkpoint is there; ARP passes', async (t) => {
  const qemu = await start(t, 'the released packets come to us')
  const out = await qemu.open('redirector0')
  const primary = await qemu.open('compare_pri_in')
  // what is released before QEMU has accepted us is lost, so it is said again
  const again = setInterval(() => {
    primary.send(arp)
  }, 300)
  t.defer(() => {
    clearInterval(again)
  })
  assert.equal(await out.frame(), arp)
  clearInterval(again)
  const held = udp('held')
  primary.send(held)
  const notify = await qemu.open('compare_notify')
  notify.send(Buffer.from('COLO_USERSPACE_PROXY_INIT'))
  assert.is(String(await notify.frame()), 'COLO_COMPARE_GET_XEN_INIT')
  assert.is(String(await notify.frame()), 'DO_CHECKPOINT')
  const isArp = (frame: Buffer): boolean => frame.equals(arp)
  assert.ok(out.waiting().every(isArp), 'withheld all the time')
  notify.send(Buffer.from('COLO_CHECKPOINT'))
  let released = await out.frame()
  while (isArp(released)) released = await out.frame()
  assert.equal(released, held)
}, 120_000)

interface Line {
  send(payload: Buffer): void
  /** the next frame's payload */
  frame(): Promise<Buffer>
  /** frames that came and nobody took */
  waiting(): readonly Buffer[]
}

interface Qemu {
  open(group: SocketGroup): Promise<Line>
}

async function start(t: T, wiring: 'as libxl wires it' | 'the released packets come to us'): Promise<Qemu> {
  const identity = await onLoopback()
  const whole = wiring === 'as libxl wires it'
  // its own clients would take what the comparer lets through
  const clients = ['id=compare1-0', ...(whole ? [] : ['id=compare_out,'])]
  const sockets = socketArgs(identity, {primary: 'xa', secondary: 'xb'}).filter(
    ([, value]) => whole || !clients.some((id) => value.includes(id)),
  )
  const objects = filterArgs()
    .filter(([, value]) => whole || !value.startsWith('filter-redirector'))
    .map(([option, value]) => [option, whole ? value : value.replace('outdev=compare_out,', 'outdev=compare_out0,')])
  const args = ['-machine', 'pc,accel=tcg', '-m', '32', '-nodefaults', '-display', 'none', '-S']
  const net = ['-netdev', 'hubport,id=net0,hubid=1', '-device', 'e1000,netdev=net0']
  const child = spawn('qemu-system-x86_64', [...args, ...net, ...sockets.flat(), ...objects.flat()], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const lines: Socket[] = []
  t.defer(async () => {
    for (const socket of lines) socket.destroy()
    if (child.exitCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  const places = proxySockets(identity, 'xa')
  return {
    open: async (group) => {
      const socket = await patientlyConnect(places[group], () => child.exitCode)
      lines.push(socket)
      return lineOf(socket)
    },
  }
}

/** The pair's sockets on free ports of this machine. */
async function onLoopback(): Promise<PairIdentity> {
  const ports = await freePorts(5)
  const [mirror = 0, compare = 0, compareIn = 0, compareOut = 0, notify = 0] = ports
  const identity = xenIdentity(coloPair)
  return {
    ...identity,
    addresses: {xa: '127.0.0.1', xb: '127.0.0.1'},
    ports: {...identity.ports, nics: [{mirror, compare}], xen: {compareIn, compareOut, notify}},
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({length: count}, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => {
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  })
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

async function patientlyConnect(
  {ip, port}: {readonly ip: string; readonly port: number},
  ended: () => number | null,
): Promise<Socket> {
  for (;;) {
    const socket = connect({host: ip, port})
    try {
      await once(socket, 'connect')
      return socket
    } catch (error) {
      if (ended() !== null) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

function lineOf(socket: Socket): Line {
  let seen = Buffer.alloc(0)
  const frames: Buffer[] = []
  const takers: Array<(frame: Buffer) => void> = []
  socket.on('error', () => undefined)
  socket.on('data', (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk])
    while (seen.length >= 4 && seen.length >= 4 + seen.readUInt32BE(0)) {
      const end = 4 + seen.readUInt32BE(0)
      const taker = takers.shift()
      if (taker === undefined) frames.push(seen.subarray(4, end))
      else taker(seen.subarray(4, end))
      seen = seen.subarray(end)
    }
  })
  return {
    send: (payload) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(payload.length)
      socket.write(Buffer.concat([length, payload]))
    },
    waiting: () => frames,
    frame: () => {
      const frame = frames.shift()
      return frame === undefined ? new Promise((resolve) => takers.push(resolve)) : Promise.resolve(frame)
    },
  }
}

/** Ethernet, IPv4 and UDP round a text. */
function udp(text: string): Buffer {
  const payload = Buffer.from(text)
  const ip = Buffer.alloc(20)
  ip.writeUInt8(0x45, 0)
  ip.writeUInt16BE(28 + payload.length, 2)
  ip.writeUInt16BE(1, 4)
  ip.writeUInt8(64, 8)
  ip.writeUInt8(17, 9)
  ip.set([10, 0, 0, 15, 10, 0, 0, 2], 12)
  const head = Buffer.alloc(8)
  head.writeUInt16BE(1111, 0)
  head.writeUInt16BE(2222, 2)
  head.writeUInt16BE(8 + payload.length, 4)
  return Buffer.concat([mac, Buffer.from('0800', 'hex'), ip, head, payload])
}

test.run()
