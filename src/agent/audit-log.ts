import {dirname} from 'node:path'
import type {Clock} from '../os/clock.js'
import type {Files} from '../os/files.js'
import type {Generation} from '../pair/record.js'
import type {Plan} from '../plan/plan.js'
import type {AuditResult, CommandOrigin} from './protocol.js'
import {Serial} from './serial.js'

export interface AuditLogOptions {
  readonly files: Files
  readonly clock: Clock
  readonly host: string
  /** one JSON object per line, root's alone; nowhere without it */
  readonly file: string | undefined
  readonly problem: (text: string) => void
}

/** What changes a pair here. */
export interface AuditedChange {
  readonly pair: string
  readonly plan: Plan
  readonly owner: string
  readonly origin: CommandOrigin | undefined
  /** of the pair here, at the moment it is asked */
  readonly generation: () => Generation | undefined
}

/**
 * Who changed what, when, from which generation to which, and how it ended: two lines for each command that changes a pair of this host.
 * They are for people and their tools; nothing is decided by them, so what cannot be written delays nobody.
 */
export class AuditLog {
  readonly #options: AuditLogOptions
  readonly #serial = new Serial()
  readonly #open = new Map<string, AuditedChange>()

  constructor(options: AuditLogOptions) {
    this.#options = options
  }

  begin(change: AuditedChange): void {
    this.end(change.pair, 'unfinished')
    this.#open.set(change.pair, change)
    this.#write(change, 'begun')
  }

  /** Nothing happens when nothing was begun. */
  end(pair: string, result: Exclude<AuditResult, 'begun'>): void {
    const change = this.#open.get(pair)
    if (change === undefined) return
    this.#open.delete(pair)
    this.#write(change, result)
  }

  #write({pair, plan, owner, origin, generation: current}: AuditedChange, result: AuditResult): void {
    const {files, clock, host, file, problem} = this.#options
    if (file === undefined) return
    const generation = current()
    const line = {
      time: new Date(clock.now()).toISOString(),
      host,
      pair,
      what: plan.title,
      kind: plan.kind,
      plan: plan.id,
      result,
      ...(generation === undefined ? {} : {epoch: generation.epoch, generation: generation.id}),
      by: owner,
      ...origin,
    }
    this.#serial
      .run(async () => {
        await files.makeDirectory(dirname(file), 0o700)
        await files.append(file, `${JSON.stringify(line)}\n`, {mode: 0o600, sync: false})
      })
      .catch((error: unknown) => {
        problem(`audit: ${(error as Error).message}`)
      })
  }
}
