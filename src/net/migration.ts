import type {YankInstance} from '../plan/action.js'
import type {Role} from '../pair/record.js'
import type {SentCommand} from '../qmp/errors.js'
import type {VersionNumbers} from './chardev.js'
import {checkAddress, checkCount, checkPort, isIpv6} from './check.js'

/**
 * Bytes per second the migration stream may use: 1 GiB, more than a 10 GbE link carries for the first copy, since QEMU's default of
 * 128 MiB also slows every checkpoint down.
 */
export const migrationBandwidth = 1024 ** 3

/** Gratuitous ARP after a failover, milliseconds. @see facts/qemu-colo.md section 5.2 */
const announcement = {initial: 50, max: 550, rounds: 5, step: 50} as const

/** @throws {UsageError} for an address or port that is none */
export function migrationUri(address: string, port: number): string {
  const host = checkAddress('migration address', address)
  return `tcp:${isIpv6(host) ? `[${host}]` : host}:${checkPort('migration port', port)}`
}

export const incoming = (address: string, port: number): SentCommand => ({
  command: 'migrate-incoming',
  arguments: {uri: migrationUri(address, port)},
})

export const migrate = (address: string, port: number): SentCommand => ({
  command: 'migrate',
  arguments: {uri: migrationUri(address, port)},
})

/** Goes on from the pause before the switchover. */
export const migrateContinue: SentCommand = {command: 'migrate-continue', arguments: {state: 'pre-switchover'}}
export const migrateCancel: SentCommand = {command: 'migrate_cancel'}

/** Longest time between checkpoints; set again, even to the same value, it forces one at once. */
export const checkpointDelay = (intervalMs: number): SentCommand => ({
  command: 'migrate-set-parameters',
  arguments: {'x-checkpoint-delay': checkCount('checkpoint interval', intervalMs, 1)},
})

export const migrationParameters = (intervalMs: number): SentCommand => ({
  command: 'migrate-set-parameters',
  arguments: {...checkpointDelay(intervalMs).arguments, 'max-bandwidth': migrationBandwidth},
})

/**
 * Whether the migration can be halted for the switchover on its way into COLO. Where it cannot, the capability makes the primary end
 * as after a plain migration, and the secondary with it.
 *
 * @see facts/qemu-colo.md sections 4 and 10.2: broken up to 10.0.6 and in 10.1
 */
export function pausesBeforeSwitchover({major, minor, micro}: VersionNumbers): boolean {
  if (major !== 10) return major > 10
  return minor >= 2 || (minor === 0 && micro >= 7)
}

/** Capabilities of one side. QEMU 11.1 wants `return-path` with COLO, those before must not have it: tried in this order. */
export function coloCapabilities(side: Role, version: VersionNumbers, returnPath: boolean): Record<string, boolean> {
  return {
    'x-colo': true,
    'return-path': returnPath,
    events: true,
    multifd: false,
    'pause-before-switchover': side === 'primary' && pausesBeforeSwitchover(version),
  }
}

export const setCapabilities = (states: Readonly<Record<string, boolean>>): SentCommand => ({
  command: 'migrate-set-capabilities',
  arguments: {capabilities: Object.entries(states).map(([capability, state]) => ({capability, state}))},
})

export const lostHeartbeat: SentCommand = {command: 'x-colo-lost-heartbeat'}
export const announceSelf: SentCommand = {command: 'announce-self', arguments: announcement}
export const stopVm: SentCommand = {command: 'stop'}
export const quitVm: SentCommand = {command: 'quit'}
/** presses the ACPI power button */
export const powerButton: SentCommand = {command: 'system_powerdown'}
export const continueVm: SentCommand = {command: 'cont'}

/** Cuts connections. One that QEMU does not know fails the whole call: name only what `query-yank` lists. */
export const yank = (instances: readonly YankInstance[]): SentCommand => ({command: 'yank', arguments: {instances}})

/** Those of the wished-for instances that exist. The monitors' own chardevs are among what exists and must not be cut. */
export function yankable(wanted: readonly YankInstance[], existing: readonly YankInstance[]): readonly YankInstance[] {
  const known = new Set(existing.map(keyOf))
  return wanted.filter((instance) => known.has(keyOf(instance)))
}

function keyOf(instance: YankInstance): string {
  switch (instance.type) {
    case 'block-node':
      return `node ${instance['node-name']}`
    case 'chardev':
      return `chardev ${instance.id}`
    case 'migration':
      return 'migration'
  }
}
