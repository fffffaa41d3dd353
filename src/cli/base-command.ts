import {Command} from '@oclif/core'
import {ColoError, InterruptedError} from '../errors.js'
import type {ExitCode} from '../exit-codes.js'
import type {OperationContext} from '../operation/context.js'
import type {Inventory} from '../pair/inventory.js'
import type {Progress} from '../ui/tasks.js'
import type {Ask} from './confirm.js'
import {openContext, silentProgress, type Connect, type OpenContext} from './context.js'
import {exitCodeOf, type OclifFields} from './exit-code-of.js'
import {globalFlags} from './flags.js'
import {watchInterrupts, type Interrupts} from './signals.js'

/** Flags that shape the context of an operation, as `parse` returns them. */
export interface OperationFlags {
  readonly hosts?: string | undefined
  readonly quiet?: boolean
  readonly verbose?: boolean
  readonly yes?: boolean
  readonly force?: readonly string[] | undefined
}

/**
 * Base of every command: `--json` for results and errors alike, exit statuses, signals, and the context of operations.
 *
 * It repairs two faults of oclif 4.14: an exit status of its own is lost under `--json` (oclif/core issue 1423), and a wrong flag prints
 * oclif's whole configuration there. It is the only place that knows about oclif's error handling.
 */
export abstract class BaseCommand extends Command {
  static override enableJsonFlag = true
  static override baseFlags = globalFlags
  /** commands that print a list and have `-o` say so: `-o json` is `--json` */
  static hasOutput = false

  #interrupts: Interrupts | undefined
  #progress: Progress | undefined
  #document: unknown
  readonly #opened: OpenContext[] = []

  /** Aborted by the first SIGINT or SIGTERM; watched from the first use on. */
  protected get interruptSignal(): AbortSignal {
    this.#interrupts ??= watchInterrupts(
      process,
      (status) => process.exit(status),
      (text) => process.stderr.write(`\ncolo: ${text}\n`),
    )
    return this.#interrupts.signal
  }

  /** Everything an operation needs. What it opens is closed when the command ends. */
  protected async operation(flags: OperationFlags): Promise<OperationContext> {
    const [inventory, progress] = await Promise.all([this.inventory(flags.hosts), this.progress(flags)])
    const opened = await openContext({
      inventory,
      connect: (host, signal) => this.connect(host, signal),
      signal: this.interruptSignal,
      progress: progress.sink,
      confirm: async (question) => {
        const {createConfirm} = await import('./confirm.js')
        const ask = await this.ask()
        await createConfirm({yes: flags.yes ?? false, force: flags.force ?? [], ask})(question)
      },
    })
    this.#opened.push(opened)
    return opened.context
  }

  /** How the person is asked; nobody is under `--json`. */
  protected async ask(): Promise<Ask | undefined> {
    if (this.jsonEnabled()) return undefined
    const {terminalAsk} = await import('./confirm.js')
    return terminalAsk(this.interruptSignal)
  }

  /** The hosts: `--hosts`, `COLO_HOSTS`, then the places of design.md section 4. @throws {ConfigError} with the place */
  protected async inventory(file: string | undefined): Promise<Inventory> {
    const [{loadInventory}, {homedir}] = await Promise.all([import('../config/hosts-file.js'), import('node:os')])
    return loadInventory({flag: file, env: process.env, home: homedir()})
  }

  /** How an agent is reached; tests override it with a scripted one. */
  protected readonly connect: Connect = async (host, signal) => {
    const [{connectAgent}, {systemClock}, {run}] = await Promise.all([
      import('../host/connection.js'),
      import('../os/clock.js'),
      import('../os/process.js'),
    ])
    return connectAgent(host, {clock: systemClock, run, signal})
  }

  /** The progress display of this command; made once. */
  protected async progress(flags: OperationFlags): Promise<Progress> {
    if (flags.quiet === true || this.jsonEnabled()) return silentProgress
    const {createProgress, displayFor} = await import('../ui/tasks.js')
    this.#progress ??= createProgress({
      display: displayFor({isTerminal: process.stderr.isTTY, env: process.env}),
      commands: flags.verbose === true,
    })
    return this.#progress
  }

  /** Ends with `status` after the result was printed; for results that are not errors, such as `not protected`. */
  protected endWith(status: ExitCode): void {
    process.exitCode = status
  }

  /** Ends the progress display; what is printed afterwards stays below it. */
  protected async endProgress(): Promise<void> {
    await this.#progress?.end()
  }

  protected override async init(): Promise<void> {
    await super.init()
    // before anything that draws is loaded: libraries look at the environment once
    if (this.argv.includes('--no-color')) process.env['NO_COLOR'] = '1'
  }

  override jsonEnabled(): boolean {
    if (super.jsonEnabled()) return true
    const [before = ''] = ` ${this.argv.join(' ')} `.split(' -- ')
    return (this.ctor as typeof BaseCommand).hasOutput && /\s(-o ?|--output[ =])json(\s|$)/.test(before)
  }

  override logJson(json: unknown): void {
    process.stdout.write(`${JSON.stringify(json, undefined, 2)}\n`)
  }

  protected override async catch(thrown: Error & OclifFields): Promise<unknown> {
    this.parsed = true // a command line that cannot be parsed needs no warning on top
    await this.endProgress()
    const error = this.#asInterrupted(thrown)
    const exit = exitCodeOf(error)
    process.exitCode = exit // what counts under --json
    error.oclif = {...error.oclif, exit} // what counts without
    if (isExit(error)) return super.catch(error)
    const {errorDocument, errorText, isInternal} = await import('./error-document.js')
    this.#document = errorDocument(error)
    if (!this.jsonEnabled()) {
      process.stderr.write(`${errorText(error)}\n`)
      if (isInternal(error) && this.argv.some((word) => word === '-v' || word === '--verbose')) {
        process.stderr.write(`${error.stack ?? ''}\n`)
      }
      error.skipOclifErrorHandling = true
    }
    return super.catch(error)
  }

  protected override toErrorJson(): unknown {
    return this.#document
  }

  protected override async finally(error: Error | undefined): Promise<unknown> {
    await this.endProgress()
    for (const opened of this.#opened) opened.close()
    this.#interrupts?.stop()
    return super.finally(error)
  }

  /** Whatever an interrupted operation throws, the reason is the interrupt. */
  #asInterrupted(error: Error & OclifFields): Error & OclifFields {
    if (this.#interrupts?.signal.aborted !== true || error instanceof InterruptedError) return error
    const hint = error instanceof ColoError ? error.hint : undefined
    return new InterruptedError(`interrupted: ${error.message}`, {cause: error, hint})
  }
}

/** `this.exit(0)` and the like: no message. */
function isExit(error: Error & {code?: unknown}): boolean {
  return error.code === 'EEXIT'
}
