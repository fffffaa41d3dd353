import type {PairLayout} from '../../../src/pair/layout.js'
import type {PairRecord} from '../../../src/pair/record.js'
import type {ModelAgent} from './agent.js'
import type {Texts} from './files.js'
import type {Plain} from './plain.js'
import type {DiskFiles, Qemu} from './qemu.js'

/** What an agent must still know of a protection after its restart. */
export interface ModelProtection {
  active: boolean
  latched: string[]
  blindSince: number | undefined
}

/** One host: what a loss of power leaves, and what it takes. */
export class Host {
  readonly name: string
  readonly address: string
  readonly pair: string
  on = true
  /** on the disk */
  readonly texts: Texts = new Map()
  /** the image is on the disk, the overlays are in memory */
  readonly files: DiskFiles = {image: undefined, hidden: undefined, active: undefined}
  protection: ModelProtection = {active: false, latched: [], blindSince: undefined}
  readonly taps = new Map<string, 'up' | 'down'>()
  readonly tapTables = new Set<string>()
  readonly firewalls = new Set<string>()
  qemu: Qemu | undefined
  /** what libvirt has beside the pair */
  plain: Plain | undefined
  /** QEMU's socket is in the file system: it is left behind by one that was killed */
  socket = false
  agent: ModelAgent | undefined
  #read: {readonly text: string; readonly record: PairRecord} | undefined

  constructor(init: {name: string; address: string; pair: string}) {
    this.name = init.name
    this.address = init.address
    this.pair = init.pair
  }

  /** the record as it is on the disk */
  get record(): PairRecord | undefined {
    const text = this.texts.get(`/var/lib/colo/pairs/${this.pair}/record.json`)
    if (text === undefined) return undefined
    if (this.#read?.text !== text) this.#read = {text, record: JSON.parse(text) as PairRecord}
    return this.#read.record
  }

  /** What is at a path: an image, an overlay, or nothing. */
  fileAt(path: string, images: ReadonlySet<string>): object | undefined {
    if (path.includes('.active.')) return this.files.active
    if (path.includes('.hidden.')) return this.files.hidden
    return images.has(path) ? this.files.image : undefined
  }

  /** What the copy here is worth: what its guest reads, or what a start would have it read. */
  get copy(): number[] {
    if (this.qemu !== undefined) return this.qemu.view
    const {image = [], hidden, active} = this.files
    if (this.record?.marks.incomplete?.why !== 'commit') return [...image]
    return image.map((value, sector) => active?.get(sector) ?? hidden?.get(sector) ?? value)
  }

  tapUp(layout: PairLayout): boolean {
    return layout.nics.some(({tap}) => this.taps.get(tap) === 'up')
  }

  /** QEMU ends, wanted or not; its taps go with it. */
  endQemu(layout: PairLayout): void {
    this.qemu?.die()
    this.qemu = undefined
    for (const {tap} of layout.nics) this.taps.delete(tap)
  }

  /** when the image was last written, as a number that changes with it */
  get modifiedNs(): string {
    return (this.files.image ?? []).join('00')
  }

  /** Everything that is not on the disk is gone. */
  powerOff(layout: PairLayout): void {
    this.on = false
    this.agent?.die()
    this.agent = undefined
    this.endQemu(layout)
    this.taps.clear()
    this.tapTables.clear()
    this.firewalls.clear()
    this.socket = false
    if (this.plain !== undefined) this.plain.running = false
    this.files.hidden = undefined
    this.files.active = undefined
  }
}
