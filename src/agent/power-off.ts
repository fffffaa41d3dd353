import type {QmpEvent} from '../qmp/session.js'

/**
 * How far the end of one QEMU has come, told by its events.
 *
 * ```
 * running ──SHUTDOWN by the guest──> off ──SHUTDOWN by the host──> flushed
 *    ^                                |
 *    └──────────── RESET ─────────────┘
 * ```
 *
 * QEMU stops the guest and flushes every disk in the turn of its main loop that sends the first SHUTDOWN. The second one, of libvirt's
 * SIGTERM, comes from a later turn: it proves that the flush is over, and what failed in it was told before.
 *
 * @see qemu/qemu system/runstate.c, main_loop_should_exit; libvirt src/qemu/qemu_process.c, qemuProcessShutdownOrReboot
 */
export class PowerOff {
  #state: 'running' | 'off' | 'flushed' = 'running'
  #atMs = 0
  #reason = ''

  get state(): 'running' | 'off' | 'flushed' {
    return this.#state
  }

  /** when the guest was off, by QEMU's clock, milliseconds */
  get atMs(): number {
    return this.#atMs
  }

  /** QEMU's word for the cause, such as `guest-shutdown` */
  get reason(): string {
    return this.#reason
  }

  /** Another QEMU, or one whose events were missed. */
  forget(): void {
    this.#state = 'running'
  }

  /** The guest was stopped by the host, and the disks were flushed: `stop` was answered, QEMU is told to end. */
  cut(atMs: number): void {
    this.#begin('power-cut', atMs)
  }

  /** @returns whether it is news */
  event({event, data, atUs}: QmpEvent): boolean {
    const before = this.#state
    if (event === 'RESET') this.#state = 'running'
    // the guest ran on between `stop` and the end: what it wrote then may not have been flushed everywhere
    if (event === 'RESUME' && this.#reason === 'power-cut') this.#state = 'running'
    if (event === 'SHUTDOWN') {
      const byGuest =
        data['guest'] === true && (data['reason'] === 'guest-shutdown' || data['reason'] === 'guest-reset')
      if (byGuest) this.#begin(String(data['reason']), Math.round(atUs / 1000))
      else if (data['guest'] === false && this.#state === 'off') this.#state = 'flushed'
    }
    return this.#state !== before
  }

  #begin(reason: string, atMs: number): void {
    this.#state = 'off'
    this.#reason = reason
    this.#atMs = atMs
  }
}
