import {StateError} from '../errors.js'
import type {SavedNic} from '../net/forward/converge.js'
import {ipv6Path} from '../net/forward/converge.js'
import type {ObservedNetwork} from '../net/forward/observed.js'
import type {ForwardWish} from '../net/forward/wish.js'
import type {Files} from '../os/files.js'
import {isRecord} from '../qmp/messages.js'

/**
 * How each forward NIC was before its first use, one file per NIC below /run: as long-lived as the kernel's own state. Written, and
 * synced, before the first change, so that a run that is cut off can be taken back exactly.
 */
export class SavedNics {
  readonly #files: Files
  readonly #root: string

  constructor(files: Files, root: string) {
    this.#files = files
    this.#root = root
  }

  /** Saves the state unless that was done, and notes the user. */
  async use(wish: ForwardWish, seen: ObservedNetwork): Promise<void> {
    const known = await this.read(wish.nic)
    if (known?.users.includes(wish.owner) === true) return
    const link = seen.links.find(({name}) => name === wish.nic)
    if (link === undefined) return
    const ipv6 = (await this.#files.readText(ipv6Path(wish.nic)))?.trim()
    await this.#write({
      nic: wish.nic,
      users: [...(known?.users ?? []), wish.owner],
      before: known?.before ?? {
        up: link.up,
        promiscuous: link.promiscuous,
        ipv6: ipv6 === '0' || ipv6 === '1' ? ipv6 : undefined,
      },
      proven: known?.proven ?? {carrierChanges: await this.#carrierChanges(wish.nic), index: link.index},
    })
  }

  /** NICs that nobody but this owner uses. */
  async unusedWithout(owner: string): Promise<SavedNic[]> {
    return (await this.#all()).filter(({users}) => users.every((user) => user === owner))
  }

  async leave(owner: string): Promise<void> {
    for (const saved of await this.#all()) {
      if (!saved.users.includes(owner)) continue
      await this.#write({...saved, users: saved.users.filter((user) => user !== owner)})
    }
  }

  /** Takes the link as it is now for the proven one. */
  async proven(nic: string, seen: ObservedNetwork): Promise<void> {
    const saved = await this.read(nic)
    const link = seen.links.find(({name}) => name === nic)
    if (saved === undefined || link === undefined) return
    await this.#write({...saved, proven: {carrierChanges: await this.#carrierChanges(nic), index: link.index}})
  }

  async touched(nic: string, seen: ObservedNetwork): Promise<boolean | undefined> {
    const saved = await this.read(nic)
    const link = seen.links.find(({name}) => name === nic)
    if (saved === undefined || link === undefined) return undefined
    return link.index !== saved.proven.index || (await this.#carrierChanges(nic)) !== saved.proven.carrierChanges
  }

  /** @throws {StateError} when the file is not ours to read */
  async read(nic: string): Promise<SavedNic | undefined> {
    const path = this.#path(nic)
    const text = await this.#files.readText(path)
    if (text === undefined) return undefined
    const saved = decode(text)
    if (saved?.nic === nic) return saved
    throw new StateError(`${path} does not say how ${nic} was before`, {actual: 'unreadable', required: ['readable']})
  }

  remove(nic: string): Promise<void> {
    return this.#files.remove(this.#path(nic))
  }

  async #all(): Promise<SavedNic[]> {
    const names = (await this.#files.list(this.#root)).filter((name) => name.endsWith('.json'))
    const all = await Promise.all(names.map((name) => this.read(name.slice(0, -'.json'.length))))
    return all.filter((saved) => saved !== undefined)
  }

  async #write(saved: SavedNic): Promise<void> {
    await this.#files.makeDirectory(this.#root, 0o700)
    await this.#files.writeAtomic(this.#path(saved.nic), `${JSON.stringify(saved)}\n`, 0o600)
  }

  async #carrierChanges(nic: string): Promise<string> {
    return (await this.#files.readText(`/sys/class/net/${nic}/carrier_changes`))?.trim() ?? ''
  }

  #path(nic: string): string {
    return `${this.#root}/${nic}.json`
  }
}

function decode(text: string): SavedNic | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isRecord(value) || !isRecord(value['before']) || !isRecord(value['proven'])) return undefined
  const {nic, users, before, proven} = value
  const {up, promiscuous, ipv6} = before
  const {carrierChanges, index} = proven
  if (typeof nic !== 'string' || !Array.isArray(users) || !users.every((user) => typeof user === 'string'))
    return undefined
  if (typeof up !== 'boolean' || typeof promiscuous !== 'boolean') return undefined
  if (typeof carrierChanges !== 'string' || typeof index !== 'number') return undefined
  const was = ipv6 === '0' || ipv6 === '1' ? ipv6 : undefined
  return {nic, users, before: {up, promiscuous, ipv6: was}, proven: {carrierChanges, index}}
}
