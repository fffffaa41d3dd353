import assert from 'node:assert/strict'
import {faults, type LabHost} from '../../src/lab/index.js'
import {
  capture,
  colo,
  coloOk,
  createPair,
  disk,
  guestAnswers,
  openStream,
  removePair,
  statusOf,
  writePairFile,
  type GuestSpec,
  type StreamSummary,
} from '../support/lab.js'
import {commandsIn, leadsElsewhere} from '../support/remedies.js'
import {strike, type Strike} from './strike.js'

/** Operations that are struck. */
export const operations = ['failover', 'failover-dead', 'resync', 'start', 'create', 'destroy'] as const
export type Operation = (typeof operations)[number]

/** What became of one case, for the ledger. */
export interface Outcome {
  readonly strike: Strike
  readonly reached: boolean
  /** commands of the person afterwards */
  readonly tried: readonly string[]
  readonly exit: number | null
  readonly stderr: string
}

/** A plan as `--dry-run --json` tells it. */
export interface Outline {
  readonly title: string
  readonly steps: ReadonlyArray<{readonly id: string; readonly host: string}>
  readonly pointOfNoReturn?: string
}

/** One pair in the lab that is struck, put right by what `status` prints, and looked at, again and again. */
export class Session {
  readonly #guest: GuestSpec
  readonly #address: string
  readonly #mac: string
  readonly #written = new Map<number, string>()
  #sector = 3000
  #alive = false

  constructor(name: string, byte: number) {
    this.#guest = {name, byte, model: 'virtio', nics: 1, disks: 1}
    this.#address = `10.77.0.${byte}`
    this.#mac = `52:54:00:77:00:${byte.toString(16).padStart(2, '0')}`
  }

  get #name(): string {
    return this.#guest.name
  }

  async begin(): Promise<void> {
    await createPair(this.#guest)
    this.#alive = true
    this.#written.clear()
    await guestAnswers(this.#address)
  }

  /** After a failure: whatever is left goes, agents that are dead are started. */
  async restart(): Promise<void> {
    for (const host of hosts) await faults.startAgent(host)
    await this.end()
    this.#alive = false
  }

  async end(): Promise<void> {
    await removePair(this.#name)
  }

  /**
   * Brings the pair where the operation begins, strikes it where `choose` says, follows the remedies, and looks.
   *
   * @param choose  is given the plan as it would be run now
   * @throws {Error} that names the case when a rule did not hold, or the remedies lead nowhere
   */
  async run(operation: Operation, choose: (plan: Outline) => Strike): Promise<Outcome> {
    if (!this.#alive) await this.begin()
    await guestAnswers(this.#address)
    await this.#write()
    const file = await writePairFile(this.#guest)
    const keepsConnection = operation === 'failover' || operation === 'failover-dead' || operation === 'resync'
    const stream = keepsConnection ? once(await openStream(this.#address)) : undefined
    const heard = (await Promise.all(hosts.map((host) => capture(host, `ether src ${this.#mac} and ip`)))).map(once)
    const tried: string[] = []
    let chosen: Strike | undefined
    try {
      if (stream !== undefined) await coloOk('pair', 'checkpoint', this.#name)
      await this.#prepare(operation)
      const line = this.#line(operation, file.path)
      chosen = choose((await coloOk('pair', ...line, '--dry-run'))['plan'] as Outline)
      const struck = await strike(line, chosen)
      await this.#putRight(operation === 'destroy', {tried, file: file.path})
      await this.#check(operation, {stream, heard})
      return {...struck, strike: chosen, tried}
    } catch (error) {
      const text = `${operation} ${JSON.stringify(chosen)}: ${(error as Error).message}; tried: ${tried.join(' | ')}`
      throw new Error(text, {cause: error})
    } finally {
      await stream?.stop().catch(() => undefined)
      await Promise.all(heard.map(({stop}) => stop().catch(() => undefined)))
      await file.remove()
    }
  }

  #line(operation: Operation, file: string): string[] {
    const name = this.#name
    switch (operation) {
      case 'failover':
        return ['failover', name, '--yes', '--no-resync']
      case 'failover-dead':
        return ['failover', name, '--yes', '--no-resync']
      case 'resync':
      case 'start':
        return [operation, name, '--yes']
      case 'create':
        return ['create', '-f', file, '--yes', '--force', 'image-secondary']
      case 'destroy':
        return ['destroy', name, '--yes']
    }
  }

  /** What must have happened for the operation to make sense. */
  async #prepare(operation: Operation): Promise<void> {
    switch (operation) {
      case 'failover':
      case 'destroy':
        return
      case 'failover-dead':
        return this.#killGuest('primary')
      case 'resync':
        return this.#killGuest('secondary')
      case 'start':
        await this.#killGuest('primary')
        return this.#killGuest('secondary')
      case 'create':
        await coloOk('pair', 'destroy', this.#name, '--yes')
        this.#alive = false
    }
  }

  /** A few writes that must never be lost. */
  async #write(): Promise<void> {
    for (let n = 0; n < 3; n++) {
      const sector = this.#sector++
      await disk.write(0, sector, `v${sector}`, this.#address)
      this.#written.set(sector, `v${sector}`)
    }
  }

  async #killGuest(role: 'primary' | 'secondary'): Promise<void> {
    const {members} = await statusOf(this.#name)
    const host = members.find((member) => member.role === role)?.host as LabHost | undefined
    if (host !== undefined) await faults.signalQemu('kill', {host, pair: this.#name}).catch(() => undefined)
  }

  /** As a person: run again or look, do the first thing that `status` names, and again. */
  async #putRight(toTheEnd: boolean, {tried, file}: {tried: string[]; file: string}): Promise<void> {
    const open: string[] = toTheEnd ? [`destroy ${this.#name}`] : []
    for (let attempt = 0; attempt < 12; attempt++) {
      if (open.length === 0) {
        const {exit, json} = await colo('pair', 'status', this.#name)
        const state = exit === 3 ? 'gone' : String(json['state'])
        tried.push(`(${state})`)
        if (state === (toTheEnd ? 'gone' : 'protected')) {
          this.#alive = !toTheEnd
          return
        }
        const reasons = (json['reasons'] ?? []) as ReadonlyArray<{remedy?: string}>
        open.push(...reasons.flatMap(({remedy}) => commandsIn(remedy)))
        if (exit === 3) open.push(`create ${this.#name} -f FILE`)
      }
      const line = open.shift() ?? `wait ${this.#name} --for unprotected --timeout 10s`
      open.length = 0
      tried.push(line)
      const words = line.replace('FILE', file).split(' ')
      const isCreate = words[0] === 'create'
      const answers = words[0] === 'wait' || words[0] === 'status' ? [] : ['--yes']
      const result = await colo('pair', ...words, ...answers, ...(isCreate ? ['--force', 'image-secondary'] : []))
      if (result.exit === 0) continue
      const error = result.json['error'] as {message?: string; hint?: string} | undefined
      tried.push(`-> ${result.exit} ${error?.message ?? ''}`)
      open.push(...commandsIn(error?.hint).filter((each) => toTheEnd || !leadsElsewhere.test(each)))
    }
    throw new Error('the remedies lead nowhere')
  }

  async #check(
    operation: Operation,
    seen: {
      readonly stream: Stoppable<StreamSummary> | undefined
      readonly heard: ReadonlyArray<Stoppable<string[]>>
    },
  ): Promise<void> {
    if (operation !== 'destroy') await guestAnswers(this.#address)
    if (seen.stream !== undefined) {
      const summary = await seen.stream.stop()
      const {lost, doubled, resets, outOfOrder, received} = summary
      assert.deepEqual({lost, doubled, resets, outOfOrder}, {lost: 0, doubled: 0, resets: 0, outOfOrder: 0})
      assert.ok(received > 10, JSON.stringify(summary))
    }
    const frames = await Promise.all(seen.heard.map(({stop}) => stop()))
    assert.ok(changesOfSpeaker(frames) <= changesAllowed, `both copies were heard: ${describe(frames)}`)
    if (operation === 'destroy') return
    for (const [sector, value] of this.#written)
      assert.match(await disk.read(0, sector, this.#address), new RegExp(value), `sector ${sector} is lost`)
  }
}

interface Stoppable<R> {
  readonly stop: () => Promise<R>
}

/** Stopped once, whoever asks; both get the same. */
function once<R>(running: Stoppable<R>): Stoppable<R> {
  let result: Promise<R> | undefined
  return {stop: () => (result ??= running.stop())}
}

const hosts = ['alpha', 'beta'] as const
/** Each failover may change who is heard once; two at a time would take turns some twenty times a second. */
const changesAllowed = 3

/** How often the host from which the guest's frames come changed. */
export function changesOfSpeaker(frames: ReadonlyArray<readonly string[]>): number {
  const order = frames.flatMap((lines, host) => lines.map((line) => ({host, at: line.split(' ')[0] ?? ''})))
  order.sort((a, b) => a.at.localeCompare(b.at))
  return order.filter(({host}, index) => index > 0 && order[index - 1]?.host !== host).length
}

function describe(frames: ReadonlyArray<readonly string[]>): string {
  return frames.map((lines, host) => `${hosts[host] ?? ''}: ${lines.length} frames`).join(', ')
}
