import type {MemberObservation} from './observation.js'
import type {Currency, Role} from './record.js'

/** States of a pair; one word, the reasons stand beside it (design.md, section 2). */
export const pairStates = [
  'stopped',
  'stopping',
  'starting',
  'syncing',
  'protected',
  'unprotected',
  'committing',
  'resyncing',
  'failing-over',
  'suspect',
  'split-brain',
  'failed',
] as const
export type PairState = (typeof pairStates)[number]

/** One reason beside the state word. `code` is stable, kebab-case; `remedy` is a command or a sentence. */
export interface Reason {
  readonly code: string
  readonly message: string
  readonly host?: string
  readonly remedy?: string
  /** `colo pair status --repair` or `resync` mends it */
  readonly repairable: boolean
}

export interface MemberStatus {
  readonly host: string
  readonly reachable: boolean
  readonly role: Role | undefined
  readonly currency: Currency | undefined
  readonly domain: string
  readonly qemu: string | undefined
  readonly epoch: number | undefined
  readonly alone: boolean
}

/** The document of `colo pair status --json`. */
export interface PairStatus {
  readonly pair: string
  readonly state: PairState
  /** `IPv4 only` when uncompared frames pass by the user's wish; `suspended` when a person ended the protection */
  readonly qualifier?: string
  readonly reasons: readonly Reason[]
  readonly epoch: number | undefined
  readonly primary: string | undefined
  readonly secondary: string | undefined
  readonly members: readonly MemberStatus[]
  readonly checkpoints: {
    readonly count: number
    readonly lastAtMs: number | undefined
    readonly lastPauseMs: number | undefined
  }
  readonly resync?: {readonly doneBytes: number; readonly totalBytes: number}
  readonly atMs: number
}

/** A host's answer, or why there is none. */
export type Seen =
  {readonly host: string; readonly member: MemberObservation} | {readonly host: string; readonly unreachable: string}
