import type {QemuFacts} from '../../../src/host/facts.js'
import type {Clock} from '../../../src/os/clock.js'
import {kinship} from '../../../src/pair/generation.js'
import {layoutOf, type PairLayout} from '../../../src/pair/layout.js'
import {currencyOf} from '../../../src/pair/record.js'
import type {PairSpec} from '../../../src/pair/spec.js'
import type {Action} from '../../../src/plan/action.js'
import {imagePath, specOf} from '../../unit/host/samples.js'
import {ModelAgent} from './agent.js'
import {Host} from './host.js'
import {momentsToEnd, type Qemu} from './qemu.js'
import {randomOf} from './random.js'

/** A rule of design.md, section 3, does not hold. */
export class Violation extends Error {}

/**
 * What can be taken away between two steps. An `agent` comes back at once, `agent-soon` in the middle of what follows, `agent-late` with the
 * recovery, as in `both`: it and the command.
 */
export type Fault =
  | {readonly kind: 'command' | 'interrupt'}
  | {readonly kind: 'agent' | 'agent-soon' | 'agent-late' | 'both' | 'qemu' | 'power'; readonly host: string}

/** Where a fault strikes: at the n-th point that an operation passes. */
export interface Strike {
  readonly at: number
  readonly fault: Fault
}

/** The command that runs now; what is struck is told by its fields. */
export interface RunningCommand {
  dead: boolean
  readonly interrupt: AbortController
  readonly drops: Array<() => void>
}

interface Speaker {
  readonly host: Host
  /** `plain`: the guest that is not a pair yet, or not any more */
  readonly how: 'free' | 'joint' | 'plain'
}

const sectors = 2

/**
 * Hosts, one pair of one disk and one NIC, a client that writes whenever it gets an answer, and the rules, which are looked at between
 * any two things that happen. Everything is in memory and follows from the seed.
 */
export class World {
  /** what the next create is given */
  spec: PairSpec
  readonly layout: PairLayout
  readonly hosts: readonly Host[]
  readonly images = new Set([imagePath])
  readonly qemuFacts: QemuFacts
  readonly clock: Clock
  /** every point that was passed, in words */
  readonly trace: string[] = []
  /** version of each sector that the client holds an answer for */
  acked: number[] = new Array<number>(sectors).fill(0)
  /** memory with acknowledged writes in it was lost with a host: only a person may accept that */
  scratchLost = false
  /** a host whose copy a person gives up: nobody counts on what it answers any more */
  discarded: string | undefined
  /** there was a plain domain, whose definition must never be lost */
  imported = false
  /** the first rule that did not hold; operations may swallow errors, this stays */
  broken: Violation | undefined
  strike: Strike | undefined
  struck = false
  command: RunningCommand | undefined
  /** actions that report success and do nothing: to see that the rules notice */
  sabotage: (host: string, action: Action) => boolean = () => false
  #passed = 0
  #version = 0
  #nowMs = 1_000_000
  #returning: {readonly host: Host; moments: number} | undefined
  #random: () => number

  constructor(init: {seed: number; qemuFacts: QemuFacts; hosts?: readonly string[]}) {
    this.spec = specOf()
    this.layout = layoutOf(this.spec)
    this.qemuFacts = init.qemuFacts
    this.#random = randomOf(init.seed)
    const names = init.hosts ?? ['alpha', 'beta']
    this.hosts = names.map((name, index) => new Host({name, address: `10.88.0.${index + 1}`, pair: this.spec.name}))
    this.clock = {
      now: () => this.#nowMs,
      monotonic: () => this.#nowMs,
      sleep: async (ms, signal) => {
        signal?.throwIfAborted()
        this.#nowMs += ms
        await turn()
        await this.background()
        signal?.throwIfAborted()
      },
    }
    for (const host of this.hosts) host.agent = new ModelAgent(host, this)
  }

  host(name: string): Host {
    const found = this.hosts.find((host) => host.name === name)
    if (found === undefined) throw new Error(`no host ${name}`)
    return found
  }

  at(address: string): Host {
    const found = this.hosts.find((host) => host.address === address)
    if (found === undefined) throw new Error(`no host at ${address}`)
    return found
  }

  /** how many points the operation under way has passed */
  get passed(): number {
    return this.#passed
  }

  /** From here on points are counted anew, and `strike` may hit. */
  begin(command: RunningCommand, strike: Strike | undefined): void {
    this.command = command
    this.strike = strike
    this.struck = false
    this.#passed = 0
  }

  /** Something happened or is about to; the rules must hold, and here a fault may strike. */
  async point(label: string): Promise<void> {
    const index = this.#passed++
    this.trace.push(label)
    await this.background()
    if (this.strike?.at !== index || this.struck) return
    this.struck = true
    this.trace.push(`*** ${words(this.strike.fault)}`)
    await this.apply(this.strike.fault)
    this.check()
  }

  async apply(fault: Fault): Promise<void> {
    switch (fault.kind) {
      case 'command':
        this.#killCommand()
        return
      case 'interrupt':
        this.command?.interrupt.abort(new Error('interrupted by SIGINT'))
        return
      case 'agent':
      case 'both':
      case 'agent-soon':
      case 'agent-late': {
        if (fault.kind === 'both') this.#killCommand()
        const host = this.host(fault.host)
        host.agent?.die()
        host.agent = undefined
        if (fault.kind === 'agent') await this.startAgent(host)
        if (fault.kind === 'agent-soon') this.#returning = {host, moments: 1 + Math.floor(this.#random() * 12)}
        return
      }
      case 'qemu': {
        const host = this.host(fault.host)
        if (host.qemu !== undefined) this.#lose(host)
        return
      }
      case 'power': {
        const host = this.host(fault.host)
        if (host.record?.marks.incomplete?.why === 'commit') this.scratchLost = true
        host.powerOff(this.layout)
      }
    }
  }

  #killCommand(): void {
    if (this.command !== undefined) this.command.dead = true
    for (const drop of this.command?.drops ?? []) drop()
  }

  /** QEMU ends, and nobody of colo's ended it. */
  #lose(host: Host): void {
    const missed = host.qemu?.missedWrites === true
    host.endQemu(this.layout)
    host.agent?.qemuGone(missed)
    if (host.protection.active) host.protection.latched.push('qemu-gone')
  }

  /** The guest is off and its disks are flushed: QEMU ends in order, and takes its sockets with it. */
  powerOff(host: Host): void {
    host.socket = false
    this.#lose(host)
  }

  /** A guest that was told to power off does so, whoever is there to see it. */
  #poweringOff(host: Host): void {
    const {qemu, agent} = host
    if (qemu?.powering === undefined) return
    qemu.powering--
    if (qemu.powering === momentsToEnd) {
      qemu.status = 'shutdown'
      agent?.shutdown('guest')
    }
    if (qemu.powering === momentsToEnd - 2) agent?.shutdown('host')
    if (qemu.powering === 0) this.powerOff(host)
  }

  async startAgent(host: Host): Promise<void> {
    if (!host.on || host.agent !== undefined) return
    host.agent = new ModelAgent(host, this)
    await host.agent.begin()
  }

  /** The person said by name that what was only in lost memory is lost. */
  acceptLoss(): void {
    const copies = this.hosts.map(({copy}) => copy).filter((copy) => copy.length > 0)
    this.acked = this.acked.map((version, sector) => Math.min(version, ...copies.map((copy) => copy[sector] ?? 0)))
    this.scratchLost = false
  }

  /** Everything is switched on again, or only these. */
  async repairHosts(names?: readonly string[]): Promise<void> {
    for (const host of this.hosts.filter(({name}) => names?.includes(name) !== false)) {
      host.on = true
      await this.startAgent(host)
    }
  }

  /** What happens without anybody's doing: the client writes, a commit ends, agents look around. */
  async background(): Promise<void> {
    this.#nowMs += 1
    if (this.#returning !== undefined && this.#returning.moments-- === 0) await this.startAgent(this.#returning.host)
    this.#clientWrites()
    for (const host of this.hosts) {
      this.#poweringOff(host)
      const {qemu, agent} = host
      if (qemu?.merging === true && this.#random() < 0.15) {
        qemu.merged()
        await agent?.tick()
      } else if (this.#random() < 0.3) await agent?.tick()
      if (qemu?.mode === 'primary' && this.#random() < 0.2) qemu.checkpoint()
    }
    this.check()
  }

  /** Who is heard on the LAN: freely, or jointly with the other copy. */
  speakers(): Speaker[] {
    return this.hosts.flatMap((host): Speaker[] => {
      const {qemu} = host
      if (host.on && host.plain?.running === true) return [{host, how: 'plain'}]
      if (!host.on || qemu?.status !== 'running' || !host.tapUp(this.layout)) return []
      if (qemu.has('divert', false)) return []
      const left = qemu.stream !== undefined && qemu.mode === 'none'
      if (!qemu.has('capture') || left) return [{host, how: 'free'}]
      const compared = this.layout.nics.every(({chardevs}) => this.connected(qemu, chardevs.compareLink))
      return qemu.mode === 'primary' && qemu.lockStep && compared ? [{host, how: 'joint'}] : []
    })
  }

  #clientWrites(): void {
    const speakers = this.speakers()
    const [first] = speakers
    if (first === undefined) {
      // a primary whose output is held still writes; nobody is answered
      for (const {qemu} of this.hosts)
        if (qemu?.mode === 'primary' && qemu.status === 'running') qemu.write(0, ++this.#version)
      return
    }
    const sector = this.#random() < 0.5 ? 0 : 1
    const version = ++this.#version
    const {qemu, files} = first.host
    qemu?.write(sector, version)
    if (first.how === 'plain' && files.image !== undefined) files.image[sector] = version
    if (first.how === 'joint') qemu?.stream?.secondary.write(sector, version)
    if (first.host.name !== this.discarded) this.acked[sector] = version
  }

  /** @throws {Violation} */
  check(): void {
    const speakers = this.speakers()
    const names = speakers.map(({host}) => host.name).join(' and ')
    if (speakers.length > 1) throw this.#violation(`S1: ${names} answer clients`)
    for (const {host, how} of speakers) {
      const {record} = host
      const granted =
        how === 'plain' ||
        (record?.role === 'primary' && record.marks.stale === undefined && (how === 'joint' || record.alone))
      if (!granted && host.name !== this.discarded)
        throw this.#violation(`S2: ${host.name} is released (${how}) without a grant: ${JSON.stringify(gist(host))}`)
      if (host.name !== this.discarded && !this.#isComplete(host.copy))
        throw this.#violation(`S4: ${host.name} answers clients and misses acknowledged writes`)
    }
    if (this.imported && !this.hosts.some(({plain, record}) => plain !== undefined || record?.origin !== undefined))
      throw this.#violation('S5: nobody has the definition of the imported domain any more')
    for (const host of this.hosts) {
      this.#checkPromotable(host)
      this.#checkStopped(host)
    }
    if (!this.scratchLost && !this.hosts.some((host) => this.#isComplete(host.copy)))
      throw this.#violation('S5: no copy holds all acknowledged writes any more')
  }

  /** A secondary in lock-step that says it may take over must have everything, unless the other side has gone on. */
  #checkPromotable(host: Host): void {
    const {record, qemu} = host
    if (record?.role !== 'secondary' || qemu?.mode !== 'secondary' || currencyOf(record) !== 'promotable') return
    const rivals = this.hosts.flatMap((each) => (each === host || each.record === undefined ? [] : [each.record]))
    const outdated = rivals.some(
      (rival) =>
        kinship(record.generation, rival.generation) === 'older' ||
        (rival.alone && rival.generation.id === record.generation.id),
    )
    if (!outdated && !this.#isComplete(host.copy))
      throw this.#violation(`S4: ${host.name} says it may take over and misses acknowledged writes`)
  }

  /** A copy that says it was stopped cleanly has everything, or the other side has gone on. */
  #checkStopped(host: Host): void {
    const {record} = host
    if (record?.clean !== true || currencyOf(record) === 'stale' || this.#isComplete(host.copy)) return
    const rival = this.hosts.find((each) => each !== host && each.record?.alone === true)?.record
    if (rival !== undefined && kinship(record.generation, rival.generation) === 'older') return
    throw this.#violation(`S4: ${host.name} says it was stopped cleanly and misses acknowledged writes`)
  }

  #isComplete(copy: readonly number[]): boolean {
    return this.acked.every((version, sector) => (copy[sector] ?? -1) >= version)
  }

  #violation(text: string): Violation {
    this.broken ??= new Violation(`${text}, at: ${this.trace.slice(-3).join(' | ')}`)
    return this.broken
  }

  /** The other end of a chardev is there. */
  connected(qemu: Qemu, id: string): boolean {
    const kind = qemu.chardevs.get(id)
    if (kind === undefined) return false
    const local = /^(.+)-(capture|release)-(server|client)$/.exec(id)
    if (local !== null)
      return qemu.chardevs.has(`${local[1]}-${local[2]}-${local[3] === 'server' ? 'client' : 'server'}`)
    const wanted = kind === 'server' ? 'client' : 'server'
    return this.hosts.some(
      (host) =>
        host.qemu !== undefined && host.qemu !== qemu && host.qemu.alive && host.qemu.chardevs.get(id) === wanted,
    )
  }

  /** The NBD connection, seen from either side. */
  replicationConnected(host: Host): boolean {
    const {qemu} = host
    if (qemu === undefined) return false
    if (qemu.child) return qemu.replicates
    return (
      qemu.exported &&
      this.hosts.some((each) => each.qemu?.nbd?.peer === qemu && each.qemu.child && each.qemu.replicates)
    )
  }
}

/** For a report: what matters of every host. */
export function gist(host: Host): object {
  const {record, qemu, on, agent} = host
  return {
    host: host.name,
    on,
    agent: agent?.alive === true,
    record: record && {
      role: record.role,
      epoch: record.generation.epoch,
      alone: record.alone,
      protected: record.wasProtected,
      marks: record.marks,
    },
    intent: agent?.intents.current && {
      title: agent.intents.current.plan.title,
      done: agent.intents.current.done,
      committed: agent.intents.current.committed,
    },
    qemu: qemu && {
      born: qemu.born,
      status: qemu.status,
      mode: qemu.mode,
      overlays: qemu.overlays,
      child: qemu.child,
      objects: [...qemu.objects.keys()].join(' '),
    },
    taps: [...host.taps.values()].join(),
    copy: host.copy,
  }
}

function words(fault: Fault): string {
  return 'host' in fault ? `${fault.kind} of ${fault.host}` : fault.kind
}

/** Lets everything that can go on go on. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
