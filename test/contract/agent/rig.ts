import {mkdirSync} from 'node:fs'
import {join} from 'node:path'
import {startAgent, type Agent, type AgentOptions} from '../../../src/agent/agent.js'
import {layoutAt, type Roots} from '../../../src/agent/member-layout.js'
import type {PerformAction} from '../../../src/agent/step-runner.js'
import {hexEndpoint} from '../../../src/agent/tcp-table.js'
import type {AgentClient} from '../../../src/host/agent-client.js'
import {openAgent} from '../../../src/host/agent-connection.js'
import {systemClock} from '../../../src/os/clock.js'
import type {BindDatagrams, OnDatagram} from '../../../src/os/datagrams.js'
import {nodeFiles} from '../../../src/os/files-node.js'
import type {Files} from '../../../src/os/files.js'
import {connectUnix} from '../../../src/os/sockets.js'
import type {PairLayout} from '../../../src/pair/layout.js'
import type {MemberObservation} from '../../../src/pair/observation.js'
import type {PairRecord} from '../../../src/pair/record.js'
import {connectQmp} from '../../../src/qmp/session.js'
import {FakeQmp} from '../../support/fake-qmp.js'
import type {T} from '../../support/suite.js'
import {temporaryDirectory} from '../../support/temporary-directory.js'
import {sampleRecord} from '../../support/sample-record.js'

/** Datagrams between agents of one test, without the network; `cut` loses everything. */
export class DatagramBus {
  readonly #ends = new Map<string, OnDatagram>()
  cut = false

  readonly bind: BindDatagrams = (at, onDatagram) => {
    const name = `${at.address}:${at.port}`
    this.#ends.set(name, onDatagram)
    return Promise.resolve({
      send: (bytes, to) => {
        const copy = Uint8Array.from(bytes)
        queueMicrotask(() => {
          if (!this.cut) this.#ends.get(`${to.address}:${to.port}`)?.(copy, at)
        })
      },
      close: () => {
        this.#ends.delete(name)
      },
    })
  }

  /** A datagram from anybody. */
  inject(to: string, bytes: Uint8Array): void {
    this.#ends.get(to)?.(bytes, {address: '10.9.9.9', port: 1})
  }
}

/** One host of a test: directories of its own, a kernel made of texts, agents one after the other. */
export class Rig {
  readonly host: string
  readonly directory: string
  readonly roots: Roots
  readonly socketPath: string
  /** files below /proc, /sys and /run, by path */
  readonly kernel = new Map<string, string>()
  readonly problems: string[] = []
  perform: PerformAction = () => Promise.resolve('changed')
  readonly #t: T
  readonly #bus: DatagramBus
  #agent: Agent | undefined

  readonly #deadMs: number | undefined

  constructor(
    t: T,
    {host = 'alpha', bus = new DatagramBus(), deadMs}: {host?: string; bus?: DatagramBus; deadMs?: number} = {},
  ) {
    this.#t = t
    this.#deadMs = deadMs
    this.host = host
    this.#bus = bus
    this.directory = temporaryDirectory(t, 'rig')
    this.roots = {stateRoot: join(this.directory, 'state/pairs'), runRoot: join(this.directory, 'pairs')}
    this.socketPath = join(this.directory, 'agent.sock')
    t.defer(() => this.#agent?.close())
  }

  get files(): Files {
    const virtual = (path: string): boolean => /^\/(proc|sys|run)\//.test(path)
    return {
      ...nodeFiles,
      readText: (path) => (virtual(path) ? Promise.resolve(this.kernel.get(path)) : nodeFiles.readText(path)),
      writeText: (path, text) => {
        if (!virtual(path)) return nodeFiles.writeText(path, text)
        this.kernel.set(path, text)
        return Promise.resolve()
      },
    }
  }

  options(): AgentOptions {
    return {
      host: this.host,
      version: '0.0.0-test',
      socketPath: this.socketPath,
      roots: this.roots,
      files: this.files,
      clock: systemClock,
      run: () => Promise.resolve({stdout: '', stderr: '', durationMs: 0}),
      connect: connectQmp,
      bind: this.#bus.bind,
      perform: (action, context) => this.perform(action, context),
      facts: () => Promise.reject(new Error('no facts in this test')),
      problem: (text) => this.problems.push(text),
      ...(this.#deadMs === undefined ? {} : {deadMs: this.#deadMs}),
    }
  }

  async start(): Promise<Agent> {
    this.#agent = await startAgent(this.options())
    return this.#agent
  }

  /** Ends the agent and starts the next one on the same files. */
  async restart(): Promise<Agent> {
    await this.#agent?.close()
    return this.start()
  }

  async stop(): Promise<void> {
    await this.#agent?.close()
    this.#agent = undefined
  }

  async client(): Promise<AgentClient> {
    const port = await connectUnix({path: this.socketPath, timeoutMs: 1000})
    const client = await openAgent(port, {host: this.host, timeoutMs: 2000})
    this.#t.defer(() => {
      client.close()
    })
    return client
  }

  record(change: Partial<PairRecord> = {}): PairRecord {
    return sampleRecord({host: this.host, peer: this.host === 'alpha' ? 'beta' : 'alpha', ...change})
  }

  layout(record: PairRecord): PairLayout {
    return layoutAt(record.spec, this.roots)
  }

  /** Writes a record as an earlier agent would have. */
  async keep(record: PairRecord): Promise<void> {
    const directory = join(this.roots.stateRoot, record.spec.name)
    mkdirSync(directory, {recursive: true})
    await nodeFiles.writeAtomic(join(directory, 'record.json'), JSON.stringify(record), 0o600)
  }

  async kept(record: PairRecord): Promise<PairRecord> {
    const text = await nodeFiles.readText(join(this.roots.stateRoot, record.spec.name, 'record.json'))
    return JSON.parse(text ?? 'null') as PairRecord
  }

  /** A scripted QEMU of a pair, listening where its domain would. */
  async qemu(record: PairRecord, mode: 'primary' | 'secondary' | 'none' = record.role): Promise<FakeQmp> {
    const layout = this.layout(record)
    mkdirSync(layout.runDir, {recursive: true})
    const fake = await FakeQmp.listen(layout.agentSocket)
    this.#t.defer(() => {
      fake.die()
    })
    answerAsQemu(fake, layout, mode)
    this.setTap(layout, 'up')
    return fake
  }

  setTap(layout: PairLayout, state: 'up' | 'down'): void {
    for (const {tap} of layout.nics)
      this.kernel.set(`/sys/class/net/${tap}/flags`, state === 'up' ? '0x1003\n' : '0x1002\n')
  }

  tap(layout: PairLayout): string | undefined {
    const flags = this.kernel.get(`/sys/class/net/${layout.nics[0]?.tap ?? ''}/flags`)
    return flags === undefined ? undefined : (Number.parseInt(flags, 16) & 1) === 1 ? 'up' : 'down'
  }

  /** The kernel's connections: of NBD (one number per connection, standing for its identity) and of migration. */
  connect(record: PairRecord, {nbd, migration}: {nbd: readonly number[]; migration: boolean}): void {
    const own = record.addresses[record.host] ?? ''
    const peer = record.addresses[record.peer] ?? ''
    const line = (port: number, inode: number): string => {
      const [local, remote] =
        record.role === 'secondary'
          ? [hexEndpoint(own, port), hexEndpoint(peer, 40_000 + (inode % 1000))]
          : [hexEndpoint(own, 40_000 + (inode % 1000)), hexEndpoint(peer, port)]
      return `   0: ${local} ${remote} 01 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0`
    }
    const lines = [
      ...nbd.map((inode) => line(record.ports.nbd, inode)),
      ...(migration ? [line(record.ports.migration, 9000)] : []),
    ]
    this.kernel.set('/proc/net/tcp', `  sl  local_address rem_address   st\n${lines.join('\n')}\n`)
  }

  async observe(pair = 'web1'): Promise<MemberObservation> {
    const client = await this.client()
    const {members} = await client.call('pairs.observe', {pair})
    const [member] = members
    if (member === undefined) throw new Error('nothing observed')
    return member
  }
}

/** Lets a fake answer every question of an observation. */
export function answerAsQemu(fake: FakeQmp, layout: PairLayout, mode: 'primary' | 'secondary' | 'none'): void {
  fake.answer('query-status', {status: 'running', running: true})
  fake.answer('query-colo-status', {mode, 'last-mode': 'none', reason: 'none'})
  fake.answer('query-migrate-parameters', {'x-checkpoint-delay': 1000, 'max-bandwidth': 0, 'downtime-limit': 300})
  fake.answer('query-migrate', mode === 'none' ? {} : {status: 'colo'})
  fake.answer('query-chardev', [])
  fake.answer('query-jobs', [])
  fake.answer('qom-list', [])
  fake.answer(
    'query-block-exports',
    mode === 'secondary'
      ? layout.disks.map(({exportId, parent}) => ({
          id: exportId,
          type: 'nbd',
          'node-name': parent,
          'shutting-down': false,
        }))
      : [],
  )
  fake.answer('x-debug-query-block-graph', graphOf(layout, mode))
}

/** The block graph as QEMU draws it. */
export function graphOf(layout: PairLayout, mode: 'primary' | 'secondary' | 'none'): unknown {
  const nodes: Array<{id: number; type: string; name: string}> = []
  const edges: Array<{parent: number; child: number; name: string}> = []
  const node = (name: string): number => nodes.push({id: nodes.length + 1, type: 'block-driver', name})
  for (const disk of layout.disks) {
    const quorum = node(disk.quorum)
    if (mode === 'secondary') {
      const chain = [node(disk.replication), node(disk.active), node(disk.hidden), node(disk.parent)]
      edges.push({parent: quorum, child: chain[0] ?? 0, name: 'children.0'})
      edges.push({parent: chain[0] ?? 0, child: chain[1] ?? 0, name: 'file'})
      edges.push({parent: chain[1] ?? 0, child: chain[2] ?? 0, name: 'backing'})
      edges.push({parent: chain[2] ?? 0, child: chain[3] ?? 0, name: 'backing'})
    } else {
      edges.push({parent: quorum, child: node(disk.parent), name: 'children.0'})
      if (mode === 'primary') edges.push({parent: quorum, child: node(disk.nbd), name: 'children.1'})
    }
  }
  return {nodes, edges: edges.map((edge) => ({...edge, perm: [], 'shared-perm': []}))}
}

/** Waits for something that comes soon; the test's own time-out is the limit. */
export async function eventually<R>(look: () => R | undefined | Promise<R | undefined>): Promise<R> {
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
