import {randomUUID} from 'node:crypto'
import {setMaxListeners} from 'node:events'
import {dirname} from 'node:path'
import type {HostFacts} from '../host/facts.js'
import type {Clock} from '../os/clock.js'
import type {BindDatagrams} from '../os/datagrams.js'
import type {Files} from '../os/files.js'
import type {Run} from '../os/process.js'
import {listenUnix} from '../os/sockets.js'
import type {PairRecord} from '../pair/record.js'
import {BootList} from './boot-list.js'
import {AuditLog} from './audit-log.js'
import {BeaconService} from './beacon-service.js'
import {serveClient} from './client.js'
import {FenceLifter} from './fence-lifter.js'
import {ForwardWatch} from './forward-watch.js'
import {Forwarding} from './forwarding.js'
import {HeldTool, type StartChild} from './held-tool.js'
import type {ConnectQmp} from './keeper.js'
import {Locks} from './locks.js'
import {startsDirectory, type Roots} from './member-layout.js'
import {Members} from './members.js'
import {AgentMethods} from './methods.js'
import {protocolVersion, type Hello, type Params} from './protocol.js'
import {readPlainDomain} from './read-domain.js'
import {StepRunner, type PerformAction} from './step-runner.js'
import {TapFilters} from './tap-filters.js'
import {TcpTable} from './tcp-table.js'
import {pauseOwn} from './xen/fence.js'

/** What the agent is made of; tests replace what they need to. */
export interface AgentOptions {
  readonly host: string
  readonly version: string
  readonly socketPath: string
  /** who changed what, a line each; nowhere unless told */
  readonly auditFile?: string | undefined
  readonly roots: Roots
  readonly files: Files
  readonly clock: Clock
  readonly run: Run
  /** for programs that are started before they are needed; without it each is started when it is */
  readonly start?: StartChild
  readonly connect: ConnectQmp
  readonly bind: BindDatagrams
  readonly perform: PerformAction
  readonly facts: (
    request: {readonly host: string} & Params<'host.facts'>,
    records: readonly PairRecord[],
  ) => Promise<HostFacts>
  /** silence after which the holder of a lock counts as dead, milliseconds; 15 s unless told */
  readonly deadMs?: number
  /** gets what goes wrong while nobody asks */
  readonly problem: (text: string) => void
}

export interface Agent {
  readonly hello: Hello
  /** Stops serving; guests, and what is on the disk, stay as they are. */
  close(): Promise<void>
}

const TICK_MS = 1000

/**
 * Starts the resident agent of this host. Settles when its socket answers; the pairs found on the disk are opened
 * meanwhile, and calls about a pair wait for it.
 *
 * @throws {ConflictError} when another agent serves this socket
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const {host, version, files, clock, run, roots, socketPath, problem} = options
  const ending = new AbortController()
  setMaxListeners(0, ending.signal)
  const hello: Hello = {
    protocol: protocolVersion,
    version,
    host,
    startedAtMs: clock.now(),
    bootId: await bootId(files),
  }
  await makeRoots(files, roots, socketPath)

  const members: Members = new Members({
    host,
    roots,
    files,
    clock,
    connect: options.connect,
    table: new TcpTable(files, clock),
    nonce: randomUUID(),
    runAlone: (member, title, steps) => methods.runAlone(member, title, steps),
    announce: (member) => {
      beacons.announce(member.talk)
      const record = member.records.current
      if (record?.spec.engine !== 'xen' || record.marks.stale === undefined) return
      pauseOwn({run, files}, member.pair, `${roots.runRoot}/${member.pair}`).catch((error: unknown) => {
        problem(`${member.pair}: ${(error as Error).message}`)
      })
    },
    problem,
  })
  const beacons = new BeaconService({
    speakers: () => [...members.opened].map(({talk}) => talk),
    find: (pair) => members.peek(pair)?.talk,
    bind: options.bind,
    monotonic: () => clock.monotonic(),
  })
  const boots = new BootList({files, file: `${dirname(roots.runRoot)}/boot.json`, bootId: hello.bootId})
  const locks = new Locks(() => clock.now())
  const filters = new TapFilters(run, clock)
  const {start} = options
  const held = start && {tc: new HeldTool('tc', {start, clock}), ip: new HeldTool('ip', {start, clock})}
  const forwarding = new Forwarding({run, files, root: `${dirname(roots.runRoot)}/forward`, ...(held && {held})})
  const forwards = new ForwardWatch(forwarding, clock)
  const runner = new StepRunner({host, roots, files, clock, run, forwarding, perform: options.perform})
  const lifter = new FenceLifter({host, files, locks, runner, ending: ending.signal, problem})
  const methods: AgentMethods = new AgentMethods({
    hello,
    audit: new AuditLog({files, clock, host, file: options.auditFile, problem}),
    clock,
    locks,
    members,
    observer: {
      host,
      agent: {version, startedAtMs: hello.startedAtMs},
      clock,
      files,
      filters,
      forwards,
      run,
      lock: (pair) => locks.holder(pair),
      boot: (pair) => boots.of(pair),
    },
    runner,
    readDomain: (name) => readPlainDomain(name, run),
    facts: (params) => options.facts({host, ...params}, members.records),
    boots,
    opened: () => opened,
    ending: ending.signal,
    deadMs: options.deadMs,
  })

  const ports = new Set<{destroy(): void}>()
  const listener = await listenUnix({path: socketPath, mode: 0o600}, (port) => {
    ports.add(port)
    serveClient(
      port,
      (request, client) => methods.handle(request, client),
      (client) => {
        ports.delete(port)
        methods.clientGone(client)
      },
    )
  })
  const opened = members.start().then(async () => {
    beacons.start()
    if (members.records.length > 0) void filters.tables()
    await boots.load(members.records.map(({spec}) => spec.name))
  })
  opened.catch((error: unknown) => {
    problem((error as Error).message)
  })
  const ticker = setInterval(() => {
    for (const member of members.opened) {
      member.tick()
      lifter.tick(member)
      forwards.watch(member, host).catch((error: unknown) => {
        problem(`${member.pair}: ${(error as Error).message}`)
      })
    }
  }, TICK_MS)

  return {
    hello,
    close: async () => {
      clearInterval(ticker)
      listener.close()
      ending.abort(new Error('the agent ends'))
      beacons.close()
      await opened.catch(() => undefined)
      forwarding.close()
      await members.close()
      for (const port of ports) port.destroy()
    },
  }
}

/** Directories on the way are passable for QEMU's user, but not readable; what is secret in them is 0600. */
async function makeRoots(files: Files, roots: Roots, socketPath: string): Promise<void> {
  await files.makeDirectory(dirname(socketPath), 0o711)
  await files.makeDirectory(roots.runRoot, 0o711)
  await files.makeDirectory(startsDirectory(roots), 0o700)
  await files.makeDirectory(dirname(roots.stateRoot), 0o711)
  await files.makeDirectory(roots.stateRoot, 0o700)
}

/** Another one after each start of the host; containers share the kernel's, so the start of their init is part of it. */
async function bootId(files: Files): Promise<string> {
  const kernel = (await files.readText('/proc/sys/kernel/random/boot_id'))?.trim() ?? 'unknown'
  const init = (await files.readText('/proc/1/stat')) ?? ''
  const startTicks = init.slice(init.lastIndexOf(')') + 2).split(' ')[19] ?? '0'
  return `${kernel}-${startTicks}`
}
