import {field, flag, integer, listOf, maybe, nothing, real, record, text, type Decoder} from '../decode.js'
import {call, present, type CallOptions, type QmpExecutor} from './call.js'

/** Known up to QEMU 11.1 (`failing` is new in 11.0); `none` is ours, for a QEMU that never migrated. */
export type MigrationStatus =
  | 'none'
  | 'setup'
  | 'cancelling'
  | 'cancelled'
  | 'active'
  | 'pre-switchover'
  | 'device'
  | 'colo'
  | 'completed'
  | 'failing'
  | 'failed'
  | (string & Record<never, never>)

export interface MigrationRam {
  readonly transferredBytes: number
  readonly remainingBytes: number
  readonly totalBytes: number
  readonly dirtySyncCount: number
  /** megabit per second */
  readonly mbps: number
}

export interface MigrationInfo {
  readonly status: MigrationStatus
  readonly errorDesc: string | undefined
  readonly totalTimeMs: number | undefined
  readonly setupTimeMs: number | undefined
  /** absent in COLO: QEMU tells nothing of it there */
  readonly ram: MigrationRam | undefined
  readonly blockedReasons: readonly string[]
}

const ram = record<MigrationRam>({
  transferredBytes: field('transferred', integer),
  remainingBytes: field('remaining', integer),
  totalBytes: field('total', integer),
  dirtySyncCount: field('dirty-sync-count', integer),
  mbps: field('mbps', real),
})

const status: Decoder<MigrationStatus> = text
const migrationInfo = record<MigrationInfo>({
  status: (from, at) => maybe('status', status)(from, at) ?? 'none',
  errorDesc: maybe('error-desc', text),
  totalTimeMs: maybe('total-time', integer),
  setupTimeMs: maybe('setup-time', integer),
  ram: maybe('ram', ram),
  blockedReasons: (from, at) => maybe('blocked-reasons', listOf(text))(from, at) ?? [],
})

/** How the migration stands; in COLO only `status: colo`, which stays after the peer has died. */
export function queryMigrate(qmp: QmpExecutor, options?: CallOptions): Promise<MigrationInfo> {
  return call(qmp, {name: 'query-migrate', returns: migrationInfo}, options)
}

/** Starts the outgoing migration and returns at once. @param uri such as `tcp:10.0.0.2:9998` */
export function migrate(qmp: QmpExecutor, uri: string, options?: CallOptions): Promise<void> {
  return call(qmp, {name: 'migrate', args: {uri}, returns: nothing}, options)
}

/** Opens the incoming side of a QEMU started with `-incoming defer`. @param uri such as `tcp:10.0.0.2:9998` */
export function migrateIncoming(qmp: QmpExecutor, uri: string, options?: CallOptions): Promise<void> {
  return call(qmp, {name: 'migrate-incoming', args: {uri}, returns: nothing}, options)
}

/** Goes on from the pause that `pause-before-switchover` makes. */
export function migrateContinue(
  qmp: QmpExecutor,
  state: 'pre-switchover' | 'device',
  options?: CallOptions,
): Promise<void> {
  return call(qmp, {name: 'migrate-continue', args: {state}, returns: nothing}, options)
}

/** Cancels a migration; without one it does nothing. In COLO it ends COLO with an error: never use it there. */
export function migrateCancel(qmp: QmpExecutor, options?: CallOptions): Promise<void> {
  return call(qmp, {name: 'migrate_cancel', returns: nothing}, options)
}

/** Capabilities by QEMU's name. */
export type MigrationCapabilities = Readonly<Record<string, boolean>>

/**
 * Sets capabilities, all or none. QEMU 11.1 refuses `x-colo` without `return-path`; ignoring that refusal gives a plain
 * migration that ends `completed`.
 */
export function migrateSetCapabilities(
  qmp: QmpExecutor,
  states: MigrationCapabilities,
  options?: CallOptions,
): Promise<void> {
  const capabilities = Object.entries(states).map(([capability, state]) => ({capability, state}))
  return call(qmp, {name: 'migrate-set-capabilities', args: {capabilities}, returns: nothing}, options)
}

const capabilityList = listOf(
  record<{capability: string; state: boolean}>({
    capability: field('capability', text),
    state: field('state', flag),
  }),
)

/** All capabilities this QEMU knows, with their state. */
export async function queryMigrateCapabilities(
  qmp: QmpExecutor,
  options?: CallOptions,
): Promise<MigrationCapabilities> {
  const list = await call(qmp, {name: 'query-migrate-capabilities', returns: capabilityList}, options)
  return Object.fromEntries(list.map(({capability, state}) => [capability, state]))
}

/** The parameters `colo` uses; each may be left out when setting. */
export interface MigrationParameters {
  /** longest time between checkpoints; setting it, even to the same value, forces a checkpoint at once */
  readonly checkpointDelayMs?: number | undefined
  /** bytes per second */
  readonly maxBandwidth?: number | undefined
  readonly downtimeLimitMs?: number | undefined
}

/** @see qemu/qemu qapi/migration.json, MigrateSetParameters: x-checkpoint-delay, max-bandwidth, downtime-limit */
export function migrateSetParameters(
  qmp: QmpExecutor,
  parameters: MigrationParameters,
  options?: CallOptions,
): Promise<void> {
  const args = present({
    'x-checkpoint-delay': parameters.checkpointDelayMs,
    'max-bandwidth': parameters.maxBandwidth,
    'downtime-limit': parameters.downtimeLimitMs,
  })
  return call(qmp, {name: 'migrate-set-parameters', args, returns: nothing}, options)
}

const migrationParameters = record<Required<MigrationParameters>>({
  checkpointDelayMs: field('x-checkpoint-delay', integer),
  maxBandwidth: field('max-bandwidth', integer),
  downtimeLimitMs: field('downtime-limit', integer),
})

/** What holds now; defaults are 20 000 ms, 128 MiB/s and 300 ms. */
export function queryMigrateParameters(
  qmp: QmpExecutor,
  options?: CallOptions,
): Promise<Required<MigrationParameters>> {
  return call(qmp, {name: 'query-migrate-parameters', returns: migrationParameters}, options)
}
