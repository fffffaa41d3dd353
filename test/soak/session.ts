import assert from 'node:assert/strict'
import {faults, labHosts, type LabHost} from '../../src/lab/index.js'
import {
  capture,
  colo,
  coloOk,
  createPair,
  disk,
  freshImages,
  guestAnswers,
  openStream,
  removePair,
  statusOf,
  writePairFile,
  type GuestSpec,
  type StreamSummary,
} from '../support/lab.js'
import {commandsIn, leadsElsewhere} from '../support/remedies.js'
import {leftovers} from './leftovers.js'
import {wishOf, type Goal, type Operation, type Wish} from './operations.js'
import {strike, type Strike, type Struck} from './strike.js'

/** What became of one case, for the ledger. */
export interface Outcome extends Struck {
  readonly strike: Strike
  /** commands of the person afterwards */
  readonly tried: readonly string[]
}

/** A case in which a rule did not hold, or the remedies led nowhere. */
export class CaseError extends Error {
  /** undefined: it was not struck yet */
  readonly strike: Strike | undefined

  constructor(message: string, strike: Strike | undefined, cause: unknown) {
    super(message, {cause})
    this.strike = strike
  }
}

/** A plan as `--dry-run --json` tells it. */
export interface Outline {
  readonly title: string
  readonly steps: ReadonlyArray<{readonly id: string; readonly host: string}>
  readonly pointOfNoReturn?: string
}

/** what a person accepts by name when a refusal says why: nobody watched a copy whose agent was dead */
const accepted = /--force (unwatched)/

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
    for (const host of labHosts) await faults.startAgent(host)
    await this.end()
  }

  async end(): Promise<void> {
    this.#alive = false
    this.#written.clear()
    await removePair(this.#name)
  }

  /**
   * Brings the pair where the operation begins, strikes it where `choose` says, follows the remedies, and looks.
   *
   * @param choose  is given the plan as it would be run now
   * @throws {CaseError} when a rule did not hold, or the remedies lead nowhere
   */
  async run(operation: Operation, choose: (plan: Outline) => Strike): Promise<Outcome> {
    const tried: string[] = []
    let chosen: Strike | undefined
    const file = await writePairFile(this.#guest)
    const open: Array<Stoppable<unknown>> = []
    try {
      if (!this.#alive && operation !== 'create') await this.begin()
      if (this.#alive) {
        await guestAnswers(this.#address)
        await this.#write()
      }
      const wish = wishOf(operation, {pair: this.#name, file: file.path, spare: await this.#spare()})
      await this.#prepare(operation, file.path)
      const stream = wish.keepsGuest ? once(await openStream(this.#address)) : undefined
      if (stream !== undefined) open.push(stream)
      await this.#strikeDead(operation)
      const heard = (await Promise.all(labHosts.map((host) => capture(host, `ether src ${this.#mac} and ip`)))).map(
        once,
      )
      open.push(...heard)
      chosen = choose((await coloOk('pair', ...wish.line, '--dry-run'))['plan'] as Outline)
      const struck = await strike(wish.line, chosen)
      checkInterrupted(chosen, struck)
      await this.#putRight(wish, {tried, file: file.path})
      await this.#bringBack(wish.goal, {tried, file: file.path})
      await this.#check({stream, heard})
      return {...struck, strike: chosen, tried}
    } catch (error) {
      const text = `${operation} ${JSON.stringify(chosen)}: ${(error as Error).message}; tried: ${tried.join(' | ')}`
      throw new CaseError(text, chosen, error)
    } finally {
      await Promise.all(open.map(({stop}) => stop().catch(() => undefined)))
      await file.remove()
    }
  }

  /** The host that has no part in the pair. */
  async #spare(): Promise<LabHost> {
    if (!this.#alive) return 'gamma'
    const {members} = await statusOf(this.#name)
    return labHosts.find((host) => !members.some((member) => member.host === host)) ?? 'gamma'
  }

  /** What must have happened for the operation to make sense, while nobody looks on. */
  async #prepare(operation: Operation, file: string): Promise<void> {
    if (operation === 'resume') await coloOk('pair', 'suspend', this.#name, '--yes')
    if (operation === 'start-both') await coloOk('pair', 'stop', this.#name, '--yes')
    if (operation !== 'create') return
    // the image that create begins with: blank after a destroy, an old one where the pair has moved away
    if (!this.#alive || (await this.#spare()) === 'alpha') this.#written.clear()
    if (this.#alive) await coloOk('pair', 'destroy', this.#name, '--yes')
    else await freshImages(this.#guest, file)
    this.#alive = false
  }

  /** What dies before it, with the connection open. */
  async #strikeDead(operation: Operation): Promise<void> {
    if (operation === 'failover-dead' || operation === 'resync') await coloOk('pair', 'checkpoint', this.#name)
    if (operation === 'failover-dead' || operation === 'start') await this.#killGuest('primary')
    if (operation === 'resync' || operation === 'start') await this.#killGuest('secondary')
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

  /** Run again it finishes, or everything was taken back and the next run finishes. */
  async #putRight({line, goal, undone}: Wish, report: {tried: string[]; file: string}): Promise<void> {
    const first = goal === 'gone' ? [line.join(' ')] : []
    const reached = await this.#follow(undone === undefined ? [goal] : [goal, undone], first, report)
    if (reached !== goal) await this.#follow([goal], [line.join(' ')], report)
    if (line[0] === 'replace') await this.#settleReplace(report.tried)
    const left = await leftovers(this.#name, goal)
    assert.deepEqual(left, [])
    this.#alive = goal !== 'gone'
  }

  /** What a former member still has goes by the same command; after a failover the new host may be the primary. */
  async #settleReplace(tried: string[]): Promise<void> {
    const {secondary = ''} = await statusOf(this.#name)
    tried.push(`replace --secondary ${secondary}`)
    await coloOk('pair', 'replace', this.#name, '--secondary', secondary, '--yes')
  }

  /** As a person: run again or look, do the first thing that `status` names, and again. */
  async #follow(
    goals: readonly Goal[],
    first: readonly string[],
    {tried, file}: {tried: string[]; file: string},
  ): Promise<Goal> {
    const open = [...first]
    for (let attempt = 0; attempt < 14; attempt++) {
      if (open.length === 0) {
        const {state, reasons} = await this.#look()
        tried.push(`(${state})`)
        const reached = goals.find((goal) => goal === state)
        if (reached !== undefined && reasons.every(({code}) => code !== 'interrupted')) return reached
        open.push(...reasons.flatMap(({remedy}) => commandsIn(remedy)))
        if (state === 'gone') open.push(`create ${this.#name} -f FILE`)
      }
      const line = (open.shift() ?? `wait ${this.#name} --for unprotected --timeout 10s`).replace('FILE', file)
      open.length = 0
      tried.push(line)
      const result = await colo('pair', ...withAnswers(line.split(' ')))
      if (result.exit === 0) continue
      const {message = '', hint = ''} = (result.json['error'] ?? {}) as {message?: string; hint?: string}
      tried.push(`-> ${result.exit} ${message}`)
      const [, word] = accepted.exec(hint) ?? []
      if (word !== undefined) open.push(`${line} --force ${word}`)
      else open.push(...commandsIn(hint).filter((each) => goals.includes('gone') || !leadsElsewhere.test(each)))
    }
    throw new Error('the remedies lead nowhere')
  }

  async #look(): Promise<{state: string; reasons: ReadonlyArray<{code?: string; remedy?: string}>}> {
    const {exit, json} = await colo('pair', 'status', this.#name)
    if (exit === 3) return {state: 'gone', reasons: []}
    const reasons = (json['reasons'] ?? []) as ReadonlyArray<{code?: string; remedy?: string}>
    return {state: json['qualifier'] === 'suspended' ? 'suspended' : String(json['state']), reasons}
  }

  /** The guest answers again, protected, whatever the case was for. */
  async #bringBack(goal: Goal, report: {tried: string[]; file: string}): Promise<void> {
    if (goal === 'stopped') await this.#follow(['protected'], [`start ${this.#name}`], report)
    if (goal === 'suspended') await this.#follow(['protected'], [`resume ${this.#name}`], report)
  }

  async #check(seen: {
    readonly stream: Stoppable<StreamSummary> | undefined
    readonly heard: ReadonlyArray<Stoppable<string[]>>
  }): Promise<void> {
    if (this.#alive) await guestAnswers(this.#address)
    if (seen.stream !== undefined) {
      const summary = await seen.stream.stop()
      const {lost, doubled, resets, outOfOrder, received} = summary
      const isWhole = lost + doubled + resets + outOfOrder === 0 && received > 10
      assert.ok(isWhole, `the connection did not live: ${JSON.stringify(summary)}`)
    }
    const frames = await Promise.all(seen.heard.map(({stop}) => stop()))
    assert.ok(changesOfSpeaker(frames) <= changesAllowed, `both copies were heard: ${describe(frames)}`)
    if (!this.#alive) return
    for (const [sector, value] of this.#written)
      assert.match(await disk.read(0, sector, this.#address), new RegExp(value), `sector ${sector} is lost`)
  }
}

/** What a person answers. */
function withAnswers(words: readonly string[]): string[] {
  const [verb = ''] = words
  const asks = !['wait', 'status', 'list', 'resume'].includes(verb) && !words.includes('--yes')
  const overwrites = (verb === 'create' || verb === 'replace') && !words.includes('image-secondary')
  return [...words, ...(asks ? ['--yes'] : []), ...(overwrites ? ['--force', 'image-secondary'] : [])]
}

/** S5: Ctrl-C undoes, or says by which command it is finished. */
function checkInterrupted({victim}: Strike, {reached, exit, stderr}: Struck): void {
  if (victim !== 'interrupt' || !reached || exit === 0) return
  assert.equal(exit, 130, stderr)
  assert.match(stderr, /what was done has been taken back|finish it: colo pair /)
}

interface Stoppable<R> {
  readonly stop: () => Promise<R>
}

/** Stopped once, whoever asks; both get the same. */
function once<R>(running: Stoppable<R>): Stoppable<R> {
  let result: Promise<R> | undefined
  return {stop: () => (result ??= running.stop())}
}

/** Each failover may change who is heard once; two at a time would take turns some twenty times a second. */
const changesAllowed = 3

/** How often the host from which the guest's frames come changed. */
export function changesOfSpeaker(frames: ReadonlyArray<readonly string[]>): number {
  const order = frames.flatMap((lines, host) => lines.map((line) => ({host, at: line.split(' ')[0] ?? ''})))
  order.sort((a, b) => a.at.localeCompare(b.at))
  return order.filter(({host}, index) => index > 0 && order[index - 1]?.host !== host).length
}

function describe(frames: ReadonlyArray<readonly string[]>): string {
  return frames.map((lines, host) => `${labHosts[host] ?? ''}: ${lines.length} frames`).join(', ')
}
