import type {Files} from '../os/files.js'
import {identify, isAlive, type ProcessId} from '../os/proc.js'

/** Where libvirt notes the process number of a domain. */
const pidDirectory = '/run/libvirt/qemu'

/** The QEMU process of one domain, found without asking libvirt, which may be busy. */
export class QemuProcess {
  readonly #files: Files
  readonly #pidFile: string
  #id: ProcessId | undefined

  constructor(files: Files, domain: string) {
    this.#files = files
    this.#pidFile = `${pidDirectory}/${domain}.pid`
  }

  /** Whether a QEMU of this domain lives, hung ones included. */
  async alive(): Promise<boolean> {
    if (this.#id !== undefined && (await isAlive(this.#id))) return true
    this.#id = await this.#find()
    return this.#id !== undefined
  }

  async #find(): Promise<ProcessId | undefined> {
    const pid = Number((await this.#files.readText(this.#pidFile))?.trim())
    if (!Number.isInteger(pid) || pid <= 1) return undefined
    const name = await this.#files.readText(`/proc/${pid}/comm`) // a file left behind may name a later process
    return name?.startsWith('qemu') === true ? identify(pid) : undefined
  }
}
