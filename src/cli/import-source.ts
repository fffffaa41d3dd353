import {UsageError} from '../errors.js'
import type {ImportRequest} from '../operation/import.js'
import type {Checked} from '../pair/names.js'
import type {HostName, PairName, PerHost} from '../pair/spec.js'

/** Flags of `pair create --from-domain`, as they are parsed. */
export interface ImportFlags {
  readonly domain: string
  readonly name: string | undefined
  readonly host: string | undefined
  readonly secondary: string | undefined
  readonly spare: string | undefined
  readonly drop: readonly string[] | undefined
  readonly bridge: readonly string[] | undefined
  readonly image: readonly string[] | undefined
  readonly uncompared: 'drop' | 'pass' | undefined
  readonly restart: boolean
}

/** Checks every word before any host is asked. @throws {UsageError} with the flag */
export async function importRequest(flags: ImportFlags): Promise<ImportRequest> {
  const {parseHostName, parsePairName, quote} = await import('../pair/names.js')
  const {checkpointDefaults} = await import('../config/pair-file.js')
  if (!/^[^-/\p{Cc}][^/\p{Cc}]{0,199}$/u.test(flags.domain)) {
    throw new UsageError(`--from-domain: ${quote(flags.domain)} is not a name of a domain`)
  }
  if (flags.secondary === undefined) {
    throw new UsageError('--from-domain needs the host of the second copy', {hint: 'Give it with --secondary HOST.'})
  }
  const host = (flag: string, text: string): HostName => valueOf(`--${flag}`, text, parseHostName)
  const name: PairName = valueOf(
    flags.name === undefined ? 'the domain, as name of the pair,' : 'the name of the pair',
    flags.name ?? flags.domain,
    parsePairName,
  )
  return {
    domain: flags.domain,
    name,
    host: flags.host === undefined ? undefined : host('host', flags.host),
    secondary: host('secondary', flags.secondary),
    spare: flags.spare === undefined ? undefined : host('spare', flags.spare),
    drop: flags.drop ?? [],
    bridges: await bridgesOf(flags.bridge ?? []),
    images: await imagesOf(flags.image ?? []),
    uncompared: flags.uncompared ?? 'drop',
    checkpoint: checkpointDefaults,
    restart: flags.restart,
  }
}

/** `net0=br0`, or `net0=alpha:br0` once per host. */
async function bridgesOf(words: readonly string[]): Promise<Record<string, PerHost<string>>> {
  const {parseInterfaceName, parseMac} = await import('../pair/names.js')
  const bridges: Record<string, PerHost<string>> = {}
  for (const word of words) {
    const [nic, value] = split('--bridge', word, 'net0=br0, or net0=alpha:br0')
    const key = /^net\d{1,2}$/.test(nic) ? nic : valueOf('--bridge', nic, parseMac)
    const [first, second] = value.split(':')
    const bridge = valueOf('--bridge', second ?? first ?? '', parseInterfaceName)
    const before = bridges[key]
    if (second === undefined) bridges[key] = {same: bridge}
    else
      bridges[key] = {
        byHost: {...(before !== undefined && 'byHost' in before ? before.byHost : {}), [first ?? '']: bridge},
      }
  }
  return bridges
}

async function imagesOf(words: readonly string[]): Promise<Record<string, string>> {
  const {parseDiskName} = await import('../pair/names.js')
  const {parseImagePath} = await import('../libvirt/import-values.js')
  const pairs = words.map((word) => {
    const [disk, path] = split('--image', word, 'vda=/srv/web1.qcow2')
    return [valueOf('--image', disk, parseDiskName), valueOf('--image', path, parseImagePath)] as const
  })
  return Object.fromEntries(pairs)
}

function split(flag: string, word: string, example: string): readonly [string, string] {
  const at = word.indexOf('=')
  if (at > 0) return [word.slice(0, at), word.slice(at + 1)]
  throw new UsageError(`${flag}: ${JSON.stringify(word)} has no =`, {hint: `Write it as in ${example}.`})
}

function valueOf<V>(what: string, text: string, parse: (text: string) => Checked<V>): V {
  const checked = parse(text)
  if (checked.ok) return checked.value
  throw new UsageError(`${what}: ${JSON.stringify(text)} ${checked.problem}`, {
    hint: `${checked.hint.charAt(0).toUpperCase()}${checked.hint.slice(1)}.`,
  })
}
