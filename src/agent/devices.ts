import type {Files} from '../os/files.js'
import {qomList} from '../qmp/commands/objects.js'
import type {QmpSession} from '../qmp/session.js'

const peripherals = '/machine/peripheral'
const limitMs = 2000

/**
 * The devices a domain was made with, by their ids. One that is attached later, by virsh for instance, is not part of the pair's
 * definition: a secondary made from that has other hardware, and the memory does not fit into it.
 *
 * The list lies beside the domain's sockets and lives as long as they do.
 */
export class Devices {
  readonly #files: Files
  readonly #file: string
  #born: ReadonlySet<string> | undefined

  constructor({files, runDir}: {readonly files: Files; readonly runDir: string}) {
    this.#files = files
    this.#file = `${runDir}/devices.json`
  }

  /** The domain was made a moment ago. */
  async created(session: QmpSession): Promise<void> {
    const ids = await devicesOf(session)
    this.#born = new Set(ids)
    await this.#files.writeAtomic(this.#file, `${JSON.stringify(ids)}\n`, 0o600)
  }

  /** The domain was made under an agent before this one. */
  async found(): Promise<void> {
    const text = await this.#files.readText(this.#file)
    this.#born = text === undefined ? undefined : new Set(JSON.parse(text) as string[])
  }

  /** Those that were attached since; none while nobody knows what it was made with. */
  attached(now: readonly string[]): readonly string[] {
    const born = this.#born
    return born === undefined ? [] : now.filter((id) => !born.has(id))
  }

  forget(): void {
    this.#born = undefined
  }
}

/** Ids of the devices a domain has now. */
export async function devicesOf(session: QmpSession): Promise<string[]> {
  const found = await qomList(session, peripherals, {timeoutMs: limitMs})
  return found.filter(({type}) => type.startsWith('child<')).map(({name}) => name)
}
