import type {Role} from '../../../src/pair/record.js'

/** What one disk's image or overlay holds: the version of each sector. An overlay holds only what was written to it. */
export type Sectors = readonly number[]
export type Overlay = ReadonlyMap<number, number>

/** The files of one disk, on the host that has them; a QEMU works on them. */
export interface DiskFiles {
  image: number[] | undefined
  hidden: Map<number, number> | undefined
  active: Map<number, number> | undefined
}

export interface ModelObject {
  readonly type: string
  on: boolean
  /** ids of the chardevs it uses */
  readonly uses: readonly string[]
}

/** A migration stream in lock-step between two QEMUs. */
export interface Stream {
  readonly primary: Qemu
  readonly secondary: Qemu
  cut: boolean
}

const momentsToOff = 4
/** from the guest's end to that of QEMU */
export const momentsToEnd = 4

/** Enough of a QEMU of one pair with one disk and one NIC: what is in its memory, and what it does to the files of its host. */
export class Qemu {
  alive = true
  status: 'prelaunch' | 'inmigrate' | 'running' | 'paused' | 'finish-migrate' | 'shutdown'
  mode: Role | 'none' = 'none'
  migration: 'none' | 'active' | 'colo' | 'completed' | 'failed' | 'cancelled' = 'none'
  capabilities = false
  listening = false
  nbdServer = false
  exported = false
  /** client of the peer's export, and whether it is the second child of the quorum */
  nbd: {readonly peer: Qemu; cut: boolean} | undefined
  child = false
  mirror: 'ready' | 'failed' | undefined
  stream: Stream | undefined
  /** active and hidden are in the chain */
  overlays: boolean
  /** they are being merged into the image */
  merging = false
  checkpoints = 0
  /** moments until the guest, told to power off, is off, and libvirt has ended its QEMU */
  powering: number | undefined
  /** a write did not arrive at the secondary */
  missedWrites = false
  readonly objects = new Map<string, ModelObject>()
  readonly chardevs = new Map<string, 'server' | 'client'>()
  readonly uuid: string
  readonly born: Role
  readonly files: DiskFiles
  readonly host: string

  constructor(init: {uuid: string; born: Role; files: DiskFiles; host: string}) {
    this.uuid = init.uuid
    this.born = init.born
    this.files = init.files
    this.host = init.host
    this.status = init.born === 'primary' ? 'prelaunch' : 'inmigrate'
    this.overlays = init.born === 'secondary'
  }

  /** What its guest reads. */
  get view(): number[] {
    const {image = [], hidden, active} = this.files
    if (!this.overlays) return [...image]
    return image.map((value, sector) => active?.get(sector) ?? hidden?.get(sector) ?? value)
  }

  get lockStep(): boolean {
    const {stream} = this
    return stream !== undefined && !stream.cut && stream.primary.alive && stream.secondary.alive
  }

  get replicates(): boolean {
    return this.nbd !== undefined && !this.nbd.cut && this.nbd.peer.alive && this.nbd.peer.exported
  }

  has(type: string, on = true): boolean {
    return [...this.objects.values()].some((object) => object.type === type && (!on || object.on))
  }

  /** Its guest writes a sector. */
  write(sector: number, version: number): void {
    const {image, active} = this.files
    if (this.overlays) active?.set(sector, version)
    else if (image !== undefined) image[sector] = version
    if (!this.child) return
    if (this.replicates) this.nbd?.peer.receive(sector, version)
    else this.missedWrites = true
  }

  /** A write of the primary arrives through the export: what was there is kept for the secondary's own guest. */
  receive(sector: number, version: number): void {
    const {image, hidden} = this.files
    if (image === undefined) return
    if (this.mode === 'secondary' && hidden?.has(sector) === false) hidden.set(sector, image[sector] ?? 0)
    image[sector] = version
  }

  /** Both sides' memory and disks are equal: overlays are empty. */
  checkpoint(): void {
    if (!this.lockStep || this.stream === undefined) return
    const {secondary, primary} = this.stream
    secondary.files.active?.clear()
    secondary.files.hidden?.clear()
    primary.checkpoints++
    secondary.checkpoints++
  }

  /** QEMU's own commit after a promotion ended: active over hidden over disk is in the disk. */
  merged(): void {
    if (!this.merging) return
    const {files} = this
    files.image = this.view
    this.overlays = false
    this.merging = false
  }

  /** The power button, which the guest obeys after a moment. */
  pressButton(): void {
    if (this.status === 'running') this.powering ??= momentsToOff + momentsToEnd
  }

  die(): void {
    this.alive = false
  }
}
