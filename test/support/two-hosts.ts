import {decideBoot} from '../../src/pair/boot-rules.js'
import {mergedGeneration, nextGeneration, standing} from '../../src/pair/generation.js'
import type {PeerWord} from '../../src/pair/observation.js'
import {currencyOf, type PairRecord} from '../../src/pair/record.js'
import {decideStart} from '../../src/pair/start-rules.js'
import {recordOf} from './pair-fixtures.js'

export type HostId = 'alpha' | 'beta'
const other = {alpha: 'beta', beta: 'alpha'} as const

interface Host {
  up: boolean
  runs: boolean
  record: PairRecord
  /** numbers of the writes that are on its disk (and overlays) */
  disk: Set<number>
}

/** What can happen, or be done, to a pair; what makes no sense at the moment does nothing. */
export type Happening =
  | {readonly do: 'write' | 'cut' | 'heal' | 'commit' | 'stop' | 'age' | 'start'}
  | {
      readonly do:
        'power-off' | 'power-on' | 'failover' | 'failover-blind' | 'missed' | 'start-alone' | 'resolve' | 'boot'
      readonly host: HostId
    }
  /** `until`: how many of its four records are written before everything dies */
  | {readonly do: 'resync'; readonly until: 1 | 2 | 3 | 4}

/**
 * Two hosts, their records and what is on their disks, driven by the product's own rules: what the plans write into the records, in
 * their order, is repeated here; what decides is the real code.
 */
export class TwoHosts {
  readonly hosts: Record<HostId, Host>
  linked = true
  /** writes that a client was told are done, and that nobody gave up */
  acknowledged = new Set<number>()
  /** how many starts the rules allowed */
  starts = 0
  /** how many outdated copies joined again after a boot */
  rejoins = 0
  /** what must never happen, and did */
  readonly wrong: string[] = []
  /** a person let both go on alone; only a person can end that */
  #rivals = false
  #count = 0
  #ids = 0

  /** @param begun  a protected pair, or one whose create died before that */
  constructor(begun: 'protected' | 'created' = 'protected') {
    const host = (role: 'primary' | 'secondary'): Host => ({
      up: true,
      runs: true,
      record: recordOf(role),
      disk: new Set(),
    })
    this.hosts = {alpha: host('primary'), beta: host('secondary')}
    if (begun === 'protected') return
    this.#change('alpha', {alone: true, wasProtected: false})
    this.#change('beta', {
      wasProtected: false,
      marks: {incomplete: {why: 'resync', detail: 'first copy has not ended'}},
    })
    this.hosts.beta.runs = false
  }

  /** copies whose output reaches clients */
  get heard(): HostId[] {
    return ids.filter((id) => this.hosts[id].runs && (this.hosts[id].record.alone || this.#inLockStep(id)))
  }

  /** What is worth trying now, by its preconditions alone: whether it is allowed is for the rules to say. */
  get possible(): Happening[] {
    const down = ids.every((id) => !this.hosts[id].runs)
    const each = (
      what: Extract<Happening, {host: HostId}>['do'],
      when: (own: Host, peer: Host) => boolean = () => true,
    ): Happening[] => ids.filter((id) => when(this.hosts[id], this.hosts[other[id]])).map((host) => ({do: what, host}))
    const {alpha, beta} = this.hosts
    const split = standing(alpha.record, beta.record) === 'unrelated'
    const untils = [1, 2, 3, 4, 4, 4] as const
    return [
      ...each('power-off', ({up}) => up),
      ...each('power-on', ({up}) => !up),
      ...each('power-on', ({up}) => !up),
      ...each('failover', ({runs, record}) => runs && !record.alone),
      ...each(
        'failover-blind',
        ({runs, record}, peer) => runs && !record.alone && peer.record.alone && (!peer.up || !this.linked),
      ),
      ...each('missed', ({runs, record}) => runs && record.role === 'secondary'),
      ...each('boot', ({up, runs}) => up && !runs),
      ...(down
        ? [{do: 'start'} as const, {do: 'start'} as const, ...each('start-alone', ({up}, peer) => up && !peer.up)]
        : []),
      ...(split ? each('resolve') : []),
      ...(!down && alpha.up && beta.up && this.linked ? untils.map((until) => ({do: 'resync', until}) as const) : []),
      ...(down ? [] : (['write', 'write', 'write', 'commit', 'stop', 'age'] as const).map((what) => ({do: what}))),
      {do: this.linked ? 'cut' : 'heal'},
      ...(this.linked ? [] : [{do: 'heal'} as const]),
    ]
  }

  happen(event: Happening): void {
    this.#apply(event)
    if (this.heard.length === 2 && !this.#rivals) this.wrong.push('two copies are heard')
  }

  #apply(event: Happening): void {
    switch (event.do) {
      case 'write':
        return this.#write()
      case 'cut':
        this.linked = false
        return
      case 'heal':
        this.linked = true
        return
      case 'power-off':
        Object.assign(this.hosts[event.host], {up: false, runs: false})
        return
      case 'power-on':
        this.hosts[event.host].up = true
        break
      case 'failover':
      case 'failover-blind':
        this.#failover(event.host, event.do === 'failover-blind')
        break
      case 'missed':
        this.#missed(event.host)
        return
      case 'commit':
        for (const id of ids) if (this.hosts[id].runs && this.hosts[id].record.alone) this.#change(id, {marks: {}})
        return
      case 'resync':
        this.#resync(event.until)
        return
      case 'stop':
        this.#stop()
        return
      case 'age':
        for (const id of this.heard) if (this.hosts[id].record.alone) this.#age(id)
        break
      case 'start':
        this.#start(undefined)
        break
      case 'start-alone':
        this.#start(event.host)
        break
      case 'resolve':
        this.#resolve(event.host)
        break
      case 'boot':
        this.#boot(event.host)
        break
    }
    this.#talk()
  }

  /** Agents that hear each other: the outdated one is fenced and marked. */
  #talk(): void {
    if (!this.linked || !ids.every((id) => this.hosts[id].up)) return
    for (const id of ids) {
      const [own, peer] = [this.hosts[id], this.hosts[other[id]]]
      if (!peer.record.alone || own.record.marks.stale !== undefined || standing(own.record, peer.record) !== 'older')
        continue
      this.#change(id, {alone: false, marks: {...own.record.marks, stale: 'learned'}})
      if (this.#rivals) this.wrong.push(`${id} was discarded by nobody's word`)
      own.runs = false
    }
  }

  #inLockStep(id: HostId): boolean {
    const [own, peer] = [this.hosts[id], this.hosts[other[id]]]
    const together = this.linked && own.runs && peer.runs && own.record.generation.id === peer.record.generation.id
    return together && own.record.role === 'primary' && !own.record.alone && currencyOf(peer.record) === 'promotable'
  }

  #write(): void {
    for (const id of ids) {
      const own = this.hosts[id]
      if (!own.runs || own.record.role !== 'primary') continue
      const write = ++this.#count
      own.disk.add(write)
      if (this.#inLockStep(id)) this.hosts[other[id]].disk.add(write)
      // without its secondary the comparer holds what a primary in lock-step would say
      if (this.heard.includes(id)) this.acknowledged.add(write)
    }
  }

  /** By a person who tells the truth: a peer that cannot be seen has not gone on alone. */
  #failover(to: HostId, blind: boolean): void {
    const [own, peer] = [this.hosts[to], this.hosts[other[to]]]
    const promotable =
      own.record.role === 'primary' ? currencyOf(own.record) === 'current' : currencyOf(own.record) === 'promotable'
    if (!own.runs || own.record.alone || !promotable || (peer.record.alone && !blind)) return
    this.#rivals ||= peer.record.alone
    if (peer.up && this.linked && standing(own.record, peer.record) === 'older') return
    const promoted = own.record.role === 'secondary'
    this.#goOn(to, promoted ? {incomplete: {why: 'commit', detail: 'merging'}} : {})
    if (!peer.up || !this.linked) return
    this.#change(other[to], {role: 'secondary', alone: false, marks: {stale: 'the other side went on alone'}})
    peer.runs = false
  }

  /** The secondary's agent sees that a write did not arrive; the primary's output is held until somebody decides. */
  #missed(id: HostId): void {
    const own = this.hosts[id]
    if (own.runs && own.record.role === 'secondary')
      this.#change(id, {marks: {...own.record.marks, notPromotable: 'missed'}})
  }

  #resync(until: number): void {
    const id = ids.find((each) => this.hosts[each].runs && this.hosts[each].record.role === 'primary')
    if (id === undefined || !this.linked || !this.hosts[other[id]].up || this.#inLockStep(id)) return
    const [own, peer] = [this.hosts[id], this.hosts[other[id]]]
    if (['older', 'unrelated'].includes(standing(own.record, peer.record)) || own.record.marks.incomplete !== undefined)
      return
    if (this.#rivals) this.wrong.push(`${other[id]} was overwritten by nobody's word`)
    if (!own.record.alone) this.#goOn(id, {})
    this.#change(other[id], {
      role: 'secondary',
      alone: false,
      clean: false,
      marks: {incomplete: {why: 'resync', detail: 'copying'}},
    })
    peer.disk = until === 1 ? new Set() : new Set(own.disk)
    const {generation} = own.record
    if (until >= 3) this.#change(id, {alone: false, wasProtected: true, marks: {}})
    if (until >= 4) this.#change(other[id], {generation, wasProtected: true, marks: {}})
    peer.runs = until >= 4
  }

  #stop(): void {
    const id = ids.find((each) => this.#inLockStep(each))
    if (id === undefined) return
    for (const each of ids) {
      this.hosts[each].runs = false
      this.#change(each, {clean: true})
    }
  }

  #start(alone: HostId | undefined): void {
    const reachable = ids.filter((id) => this.hosts[id].up)
    if (reachable.some((id) => this.hosts[id].runs && this.hosts[id].record.marks.stale === undefined)) return
    // who says `--alone` says the truth: the other copy has not gone on
    if (alone !== undefined && (reachable.length !== 1 || this.hosts[other[alone]].record.alone)) return
    const decision = decideStart({
      pair: 'web1',
      records: reachable.map((id) => this.hosts[id].record),
      silent: ids.filter((id) => !reachable.includes(id)),
      alone,
    })
    if ('refuse' in decision) {
      if (reachable.length === 2 && !this.#rivals) this.wrong.push(`nothing starts: ${decision.refuse}`)
      return
    }
    if (reachable.length === 2) this.#noRivals('a start')
    if (decision.unproven)
      this.acknowledged = intersection(this.acknowledged, this.hosts[decision.start as HostId].disk)
    this.#started(decision.start as HostId)
  }

  #boot(id: HostId): void {
    const [own, peer] = [this.hosts[id], this.hosts[other[id]]]
    if (!own.up || own.runs) return
    const {generation, alone, role, marks} = peer.record
    const word: PeerWord = {
      atMs: 0,
      generationId: generation.id,
      epoch: generation.epoch,
      alone: alone && marks.stale === undefined,
      domain: peer.runs ? 'running' : 'absent',
      role,
      generation,
    }
    const heard = peer.up && this.linked
    const decision = decideBoot({record: own.record, peer: heard ? word : undefined, nowMs: 0, faults: []})
    if (decision.kind === 'rejoin') this.#rejoin(id)
    if (decision.kind !== 'start') return
    this.#noRivals('a boot')
    this.#started(id)
  }

  /** With nobody at the keyboard the copy of this host is overwritten by the one that runs on the other. */
  #rejoin(id: HostId): void {
    const peer = this.hosts[other[id]]
    const lacks = [...this.acknowledged].filter((write) => !peer.disk.has(write))
    this.rejoins++
    if (!peer.runs || peer.record.role !== 'primary') this.wrong.push(`${id} joins a copy that does not run as primary`)
    if (lacks.length > 0) this.wrong.push(`${id} is overwritten by a copy without ${lacks.join(', ')}`)
    this.#noRivals('a rejoin')
    this.#resync(4)
  }

  #started(id: HostId): void {
    const {disk} = this.hosts[id]
    const lacks = [...this.acknowledged].filter((write) => !disk.has(write))
    this.starts++
    if (lacks.length > 0 && !this.#rivals) this.wrong.push(`${id} was started without ${lacks.join(', ')}`)
    this.#goOn(id, {})
    this.hosts[id].runs = true
  }

  #noRivals(what: string): void {
    if (this.#rivals) this.wrong.push(`${what} did not see the split-brain`)
  }

  /** A person ends a split-brain and gives up what only the discarded copy has. */
  #resolve(discard: HostId): void {
    const [kept, lost] = [this.hosts[other[discard]], this.hosts[discard]]
    if (!kept.up || !lost.up || standing(kept.record, lost.record) !== 'unrelated') return
    this.#change(discard, {role: 'secondary', alone: false, marks: {stale: 'discarded'}})
    lost.runs = false
    this.#change(other[discard], {
      generation: mergedGeneration(kept.record.generation, lost.record.generation, this.#id()),
    })
    this.acknowledged = intersection(this.acknowledged, kept.disk)
    this.#rivals = false
  }

  /** So many starts and stops that the list of ancestors no longer reaches back to where the peer is. */
  #age(id: HostId): void {
    let {generation} = this.hosts[id].record
    for (let n = 0; n < 300; n++) generation = nextGeneration(generation, this.#id())
    this.#change(id, {generation})
  }

  #goOn(id: HostId, marks: PairRecord['marks']): void {
    const generation = nextGeneration(this.hosts[id].record.generation, this.#id())
    this.#change(id, {role: 'primary', generation, alone: true, wasProtected: false, clean: false, marks})
  }

  #change(id: HostId, change: Partial<PairRecord>): void {
    this.hosts[id].record = {...this.hosts[id].record, ...change}
  }

  #id(): string {
    return `generation-${++this.#ids}`
  }
}

const ids = ['alpha', 'beta'] as const

function intersection(a: ReadonlySet<number>, b: ReadonlySet<number>): Set<number> {
  return new Set([...a].filter((value) => b.has(value)))
}
