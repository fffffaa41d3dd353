import {ColoError} from '../errors.js'
import {exitCodes} from '../exit-codes.js'
import type {Files} from '../os/files.js'
import {humanMonitorCommand, traceEventSetState} from '../qmp/commands/trace.js'
import type {QmpSession} from '../qmp/session.js'
import type {Tracing} from '../stats/member-stats.js'
import {emptyPhases, feedTrace, type PhaseSeries} from '../stats/phases.js'
import {parseTraceLine} from '../stats/trace-line.js'
import {Serial} from './serial.js'

/** a handful of lines per checkpoint */
const checkpointEvents = [
  'colo_vm_state_change',
  'colo_send_message',
  'colo_receive_message',
  'colo_flush_ram_cache_begin',
  'colo_flush_ram_cache_end',
]
/** several lines per packet */
const packetEvents = [
  'colo_compare_main',
  'colo_compare_drop_packet',
  'colo_compare_udp_miscompare',
  'colo_compare_icmp_miscompare',
]
/** More in one second is not read but ends the tracing: it would fill the memory it lies in. */
const LIMIT_BYTES = 16 * 1024 * 1024
const LIMIT_MS = 2000

export interface TracerOptions {
  readonly files: Files
  /** in memory, writable for QEMU */
  readonly runDir: string
  readonly problem: (text: string) => void
}

/**
 * QEMU's own traces of one member, on demand. QEMU writes them into one of two files in turn; the other one is read, counted and
 * removed, so that they never grow. Nobody else can use QEMU's log file meanwhile.
 */
export class Tracer {
  readonly #options: TracerOptions
  readonly #serial = new Serial()
  #tracing: Tracing = 'off'
  #phases: PhaseSeries | undefined
  #turn = 0

  constructor(options: TracerOptions) {
    this.#options = options
  }

  get tracing(): Tracing {
    return this.#tracing
  }

  /** undefined until it was on once */
  get phases(): PhaseSeries | undefined {
    return this.#phases
  }

  /** @throws {ColoError} when QEMU cannot write its log file */
  set(tracing: Tracing, qmp: QmpSession): Promise<void> {
    return this.#serial.run(async () => {
      const wanted = eventsOf(tracing)
      if (wanted.length > 0) await this.#logTo(qmp, this.#fileOf(this.#turn))
      for (const name of [...checkpointEvents, ...packetEvents]) {
        await traceEventSetState(qmp, {name, enable: wanted.includes(name)}, {timeoutMs: LIMIT_MS})
      }
      this.#tracing = tracing
      if (tracing !== 'off') this.#phases ??= emptyPhases
      else await this.#end(qmp)
    })
  }

  /** QEMU is gone, or nobody watches: figures stay, halves of a checkpoint do not. */
  forget(): void {
    this.#tracing = 'off'
    if (this.#phases !== undefined) this.#phases = {...this.#phases, since: {}}
  }

  /** Called about once a second with the session, when there is one. */
  tick(qmp: QmpSession | undefined): void {
    if (this.#tracing === 'off' || qmp === undefined) return
    this.#serial
      .run(() => this.#takeTurn(qmp))
      .catch((error: unknown) => {
        this.#options.problem(`traces: ${(error as Error).message}`)
        this.forget()
      })
  }

  async #takeTurn(qmp: QmpSession): Promise<void> {
    if (this.#tracing === 'off') return
    const full = this.#fileOf(this.#turn)
    this.#turn = 1 - this.#turn
    await this.#logTo(qmp, this.#fileOf(this.#turn))
    const {files} = this.#options
    const size = (await files.stat(full))?.sizeBytes ?? 0
    if (size > LIMIT_BYTES) {
      this.#options.problem(`traces: ${size} bytes in a second are too many: switched off`)
      void this.set('off', qmp).catch(() => undefined)
      return
    }
    this.#read((await files.readText(full)) ?? '')
    await files.remove(full)
  }

  #read(text: string): void {
    let phases = this.#phases ?? emptyPhases
    for (const line of text.split('\n')) {
      const parsed = parseTraceLine(line)
      if (parsed !== undefined) phases = feedTrace(phases, parsed)
    }
    this.#phases = phases
  }

  async #end(qmp: QmpSession): Promise<void> {
    const {files} = this.#options
    const last = this.#fileOf(this.#turn)
    await this.#logTo(qmp, '/dev/null')
    const text = await files.readText(last)
    if (text !== undefined && this.#phases !== undefined) this.#read(text)
    await files.remove(last)
    await files.remove(this.#fileOf(1 - this.#turn))
  }

  /** HMP tells errors as text. */
  async #logTo(qmp: QmpSession, file: string): Promise<void> {
    const answer = (await humanMonitorCommand(qmp, `logfile ${file}`, {timeoutMs: LIMIT_MS})).trim()
    if (answer === '') return
    throw new ColoError('no-trace', exitCodes.internal, `QEMU cannot write ${file}: ${answer}`, {
      hint: 'is a security driver (AppArmor, SELinux) in the way?',
    })
  }

  #fileOf(turn: number): string {
    return `${this.#options.runDir}/trace.${turn}.log`
  }
}

function eventsOf(tracing: Tracing): readonly string[] {
  switch (tracing) {
    case 'off':
      return []
    case 'checkpoints':
      return checkpointEvents
    case 'packets':
      return [...checkpointEvents, ...packetEvents]
  }
}
