import type {LabHost} from '../../src/lab/index.js'

/** Operations that are struck; `failover-dead`: the primary's QEMU was killed; `start-both`: of two equal copies. */
export const operations = [
  'failover',
  'failover-dead',
  'test-failover',
  'resync',
  'start',
  'start-both',
  'stop',
  'suspend',
  'resume',
  'replace',
  'create',
  'destroy',
] as const
export type Operation = (typeof operations)[number]

/** Where a case may end. `gone`: no host knows the pair. */
export type Goal = 'protected' | 'stopped' | 'suspended' | 'gone'

/** What a person wants of an operation. */
export interface Wish {
  /** arguments of `colo pair` */
  readonly line: readonly string[]
  readonly goal: Goal
  /** where all was taken back: the line is run again from there, and must come to the goal */
  readonly undone?: Goal
  /** the guest goes on all the time: one numbered connection lives through it */
  readonly keepsGuest: boolean
}

/** @param spare  the host that has no part in the pair */
export function wishOf(operation: Operation, at: {readonly pair: string; readonly file: string; spare: LabHost}): Wish {
  const {pair, file, spare} = at
  switch (operation) {
    case 'failover':
      return {line: ['failover', pair, '--yes', '--no-resync'], goal: 'protected', keepsGuest: true}
    case 'failover-dead':
      return {line: ['failover', pair, '--yes', '--no-resync'], goal: 'protected', keepsGuest: true}
    case 'test-failover':
      return {line: ['test-failover', pair, '--yes', '--no-resync'], goal: 'protected', keepsGuest: true}
    case 'resync':
      return {line: ['resync', pair, '--yes'], goal: 'protected', keepsGuest: true}
    case 'start':
      return {line: ['start', pair, '--yes'], goal: 'protected', keepsGuest: false}
    case 'start-both':
      return {line: ['start', pair, '--yes'], goal: 'protected', undone: 'stopped', keepsGuest: false}
    case 'stop':
      return {
        line: ['stop', pair, '--yes', '--timeout', '3m'],
        goal: 'stopped',
        undone: 'protected',
        keepsGuest: false,
      }
    case 'suspend':
      return {line: ['suspend', pair, '--yes'], goal: 'suspended', undone: 'protected', keepsGuest: true}
    case 'resume':
      return {line: ['resume', pair], goal: 'protected', keepsGuest: true}
    case 'replace':
      return {
        line: ['replace', pair, '--secondary', spare, '--yes', '--force', 'image-secondary'],
        goal: 'protected',
        keepsGuest: true,
      }
    case 'create':
      return {
        line: ['create', '-f', file, '--yes', '--force', 'image-secondary'],
        goal: 'protected',
        keepsGuest: false,
      }
    case 'destroy':
      return {line: ['destroy', pair, '--yes'], goal: 'gone', keepsGuest: false}
  }
}
