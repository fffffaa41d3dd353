import type {Argv} from '../os/process.js'
import type {PairSpec} from '../pair/spec.js'
import {proxyOf, type Proxy} from './layout.js'

export interface RemusOptions {
  readonly domain: string
  readonly mode: PairSpec['mode']
  readonly proxy: Proxy
  /** time between checkpoints of Remus, in milliseconds; COLO has none to set */
  readonly intervalMs: number
  /** Remus holds network output until the checkpoint is there; needs a build with libnl */
  readonly buffering: boolean
  /** program that takes the place of ssh: it gets the host and the remote command as arguments. No blanks, no shell characters */
  readonly transport: string
  /** what the transport is given as host */
  readonly peer: string
}

/** The options of `xl remus` for a pair. */
export function remusOptionsOf(
  spec: PairSpec,
  at: {readonly transport: string; readonly peer: string; readonly buffering: boolean},
): RemusOptions {
  return {domain: spec.name, mode: spec.mode, proxy: proxyOf({spec}), intervalMs: spec.checkpoint.intervalMs, ...at}
}

/**
 * `xl remus`: stays in the foreground for the whole protection. xl hands the transport and the peer to a shell without quotes.
 *
 * @throws {RangeError} for a transport or peer that a shell would not leave alone; both are made of checked names
 */
export function remusArgv(options: RemusOptions): Argv {
  const {domain, mode, proxy, intervalMs, buffering, transport, peer} = options
  for (const word of [transport, peer]) {
    if (!/^[A-Za-z0-9_./:@%+-]+$/.test(word))
      throw new RangeError(`${JSON.stringify(word)} is not safe in a command of xl`)
  }
  const how =
    mode === 'colo'
      ? ['-c', '-u', ...(proxy === 'userspace' ? ['-p'] : [])]
      : // -F only allows what the other letters ask for: disks are shared or absent, and without libnl there is no buffering
        ['-F', '-d', ...(buffering ? [] : ['-n']), '-i', String(intervalMs)]
  return ['xl', 'remus', ...how, '-s', transport, domain, peer]
}

/** The command that xl then asks the other host to run. The relay there starts nothing else. */
export function receiverArgv({mode, proxy}: Pick<RemusOptions, 'mode' | 'proxy'>): Argv {
  if (mode !== 'colo') return ['xl', 'migrate-receive', '-r']
  return ['xl', 'migrate-receive', '--colo', ...(proxy === 'userspace' ? ['--userspace-colo-proxy'] : [])]
}
