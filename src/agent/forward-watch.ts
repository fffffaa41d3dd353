import {conflictsOf, fits} from '../net/forward/converge.js'
import type {ObservedNetwork, ObservedRule} from '../net/forward/observed.js'
import type {TcRule} from '../net/forward/rules.js'
import {wishOf, type ForwardWish} from '../net/forward/wish.js'
import type {Clock} from '../os/clock.js'
import type {NicLayout} from '../pair/layout.js'
import type {ForwardHop, ForwardObservation} from '../pair/observation.js'
import type {Role} from '../pair/record.js'
import {forwardPathOf} from '../plan/forward-path.js'
import type {Forwarding} from './forwarding.js'
import type {Member} from './member.js'

/** The kernel is asked this often while a pair needs it. */
const SAMPLE_MS = 1000
/** Frames on their way are not counted as lost before. */
const SETTLED_MS = 900
/** How far back frames are compared. */
const WINDOW_MS = 2700
const KEPT_MS = 8000

interface Sample {
  readonly atMs: number
  readonly seen: ObservedNetwork
}

/**
 * Watches the kernel's forwarding on this host, for all pairs at once: whether it is whole, and how many frames go through it.
 */
export class ForwardWatch {
  readonly #forwarding: Forwarding
  readonly #clock: Clock
  #samples: readonly Sample[] = []
  #sampling: Promise<void> | undefined
  /** faults of each member's forwarding as last recorded among its events */
  readonly #told = new WeakMap<Member, string>()

  constructor(forwarding: Forwarding, clock: Clock) {
    this.#forwarding = forwarding
    this.#clock = clock
  }

  /** Called about once a second for every pair of this host; one that needs it is looked at, and what changed is told. */
  async watch(member: Member, host: string): Promise<void> {
    const role = member.records.current?.role
    const forwarded = member.layout.nics.some(({spec}) => spec.forward.via === 'tc')
    if (!forwarded || !member.checkpoints.colo || role === undefined) return
    if (role === 'secondary') this.#forwarding.hold()
    const seen = await Promise.all(member.layout.nics.map((nic) => this.observe(nic, {host, role})))
    const faults = seen.filter((each) => each !== undefined).flatMap(faultsOf)
    const told = faults.join('; ')
    if (told === (this.#told.get(member) ?? '')) return
    this.#told.set(member, told)
    await member.events.record({type: told === '' ? 'FORWARDING_WHOLE' : 'FORWARDING_FAULT', data: {faults}})
  }

  async #tick(): Promise<void> {
    this.#sampling ??= this.#sample().finally(() => {
      this.#sampling = undefined
    })
    await this.#sampling
  }

  /** @returns undefined when the kernel cannot be asked */
  async observe(
    nic: NicLayout,
    at: {readonly host: string; readonly role: Role},
  ): Promise<ForwardObservation | undefined> {
    const path = forwardPathOf(nic, at.host)
    if (path === undefined) return undefined
    const newest = this.#samples.at(-1)
    if (newest === undefined || this.#clock.monotonic() - newest.atMs > SAMPLE_MS / 2) await this.#tick()
    const now = this.#samples.at(-1)
    if (now === undefined) return undefined
    const wish = wishOf(path, {role: at.role, mirror: true, uid: 0})
    const wire = path.vlan === undefined ? path.nic : path.vlanDevice
    const link = now.seen.links.find(({name}) => name === path.nic)
    const outgoing = wish.rules.find(({to}) => to === wire)
    const incoming = wish.rules.find(({device}) => device === wire)
    return {
      device: wire,
      carrier: link?.up === true && link.carrier,
      touched: (await this.#forwarding.touched(path.nic, now.seen)) === true,
      missing: missingIn(wish, now.seen),
      foreign: link === undefined ? [] : conflictsOf(wish, now.seen, true),
      hops: hopsOf(wish, at.role, now.seen),
      sent: this.#rise(outgoing, SETTLED_MS),
      received: this.#rise(incoming, 0),
    }
  }

  async #sample(): Promise<void> {
    const atMs = this.#clock.monotonic()
    try {
      const seen = await this.#forwarding.observe()
      this.#samples = [...this.#samples.filter((sample) => atMs - sample.atMs < KEPT_MS), {atMs, seen}]
    } catch {
      this.#samples = [] // tc or ip fail: nothing is known, which an observation shows
    }
  }

  /** Frames that a rule counted from about three seconds ago until `settledMs` ago; undefined when not watched that long. */
  #rise(rule: TcRule | undefined, settledMs: number): number | undefined {
    const nowMs = this.#clock.monotonic()
    const early = this.#samples.filter(({atMs}) => nowMs - atMs >= WINDOW_MS).at(-1)
    const late = this.#samples.filter(({atMs}) => nowMs - atMs >= settledMs).at(-1)
    if (rule === undefined || early === undefined || late === undefined) return undefined
    const [from, to] = [early, late].map(({seen}) => seen.rules.find((known) => fits(known, rule))?.packets)
    // made anew in between: its counter began at zero again
    return from === undefined || to === undefined || to < from ? undefined : to - from
  }
}

function faultsOf({device, carrier, touched, missing, foreign}: ForwardObservation): string[] {
  return [
    ...foreign,
    ...(carrier ? [] : [`${device} has no carrier`]),
    ...missing.map((what) => `no ${what}`),
    ...(touched ? [`${device} was cut or re-plugged`] : []),
  ]
}

function missingIn(wish: ForwardWish, seen: ObservedNetwork): string[] {
  const links = wish.links.filter(({name}) => !seen.links.some((link) => link.name === name))
  const rules = wish.rules.filter((rule) => !seen.rules.some((known) => fits(known, rule)))
  return [
    ...(seen.links.some(({name}) => name === wish.nic) ? [] : [`interface ${wish.nic}`]),
    ...links.map(({name}) => `device ${name}`),
    ...rules.map(({device, hook, verb, to}) => `${verb} from ${device} ${hook} to ${to}`),
  ]
}

/** In the order in which a frame meets them. */
function hopsOf(wish: ForwardWish, role: Role, seen: ObservedNetwork): ForwardHop[] {
  const counted = (rule: TcRule): ObservedRule | undefined => seen.rules.find((known) => fits(known, rule))
  const hop = (rule: TcRule, direction: ForwardHop['direction']): ForwardHop => {
    const {device, hook, verb, to} = rule
    return {direction, device, hook, verb, to, packets: counted(rule)?.packets, drops: counted(rule)?.drops}
  }
  const [first, second, third] = wish.rules
  if (role === 'secondary') {
    return [
      ...(second === undefined ? [] : [hop(second, 'to-secondary')]),
      ...(first === undefined ? [] : [hop(first, 'to-comparer')]),
    ]
  }
  return [
    ...(third === undefined ? [] : [hop(third, 'to-secondary')]),
    ...(second === undefined ? [] : [hop(second, 'to-comparer')]),
    ...(first === undefined ? [] : [hop(first, 'to-comparer')]),
  ]
}
