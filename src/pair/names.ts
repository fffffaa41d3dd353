import type {HostName, PairName} from './spec.js'

/** A value, or why the text is not one. `problem` follows the quoted text: `"web 1" contains " "`. */
export type Checked<V> =
  {readonly ok: true; readonly value: V} | {readonly ok: false; readonly problem: string; readonly hint: string}

/**
 * Name of a pair: letters, digits, `-` and `_`, 1 to 40, first a letter or digit.
 *
 * It becomes a libvirt domain, a directory, an nftables table and part of file names, so nothing else may get through.
 */
export function parsePairName(text: string): Checked<PairName> {
  return checkName(text, {
    pattern: /[^A-Za-z0-9_-]/u,
    max: 40,
    allowed: 'letters, digits, - and _',
  }) as Checked<PairName>
}

/** Name of a host in the inventory: letters, digits, `-`, `_` and `.`, 1 to 63, first a letter or digit. */
export function parseHostName(text: string): Checked<HostName> {
  const allowed = 'letters, digits, -, _ and .'
  if (text in {}) return bad('is reserved', 'choose another name')
  return checkName(text, {pattern: /[^A-Za-z0-9_.-]/u, max: 63, allowed}) as Checked<HostName>
}

/**
 * Name of a disk: letters, digits and `_`, 1 to 32. No `-`: overlay files are called `PAIR-DISK.active.qcow2`, and pair
 * `web` with disk `1-a` would share them with pair `web-1` and disk `a`.
 */
export function parseDiskName(text: string): Checked<string> {
  return checkName(text, {pattern: /[^A-Za-z0-9_]/u, max: 32, allowed: 'letters, digits and _'})
}

/** Name of a NIC within its pair: as a pair's name, at most 32. */
export function parseNicName(text: string): Checked<string> {
  return checkName(text, {pattern: /[^A-Za-z0-9_-]/u, max: 32, allowed: 'letters, digits, - and _'})
}

/** Name of a bridge or network interface: what Linux accepts (IFNAMSIZ, 15 characters) without a leading `-` or `.`. */
export function parseInterfaceName(text: string): Checked<string> {
  return checkName(text, {pattern: /[^A-Za-z0-9_.-]/u, max: 15, allowed: 'letters, digits, -, _ and .'})
}

function checkName(text: string, rule: {pattern: RegExp; max: number; allowed: string}): Checked<string> {
  const hint = `use ${rule.allowed}, at most ${rule.max}, first a letter or digit`
  if (text === '') return bad('is empty', hint)
  const wrong = rule.pattern.exec(text)
  if (wrong !== null) return bad(`contains ${quote(wrong[0])}`, hint)
  if (text.length > rule.max) return bad(`has ${text.length} characters`, hint)
  if (!/^[A-Za-z0-9]/.test(text)) return bad('does not start with a letter or digit', hint)
  return {ok: true, value: text}
}

/**
 * Absolute path of a file. It reaches QEMU options (where a comma separates), XML and command lines, so the
 * characters are a list of allowed ones; repeated slashes are joined, `.` and `..` refused.
 */
export function parseFilePath(text: string): Checked<string> {
  if (text.endsWith('/')) return bad('is a directory', 'name a file, without / at the end')
  return parsePath(text)
}

/** Absolute path of a directory, as `parseFilePath`; a `/` at the end is dropped. */
export function parseDirectoryPath(text: string): Checked<string> {
  return parsePath(text)
}

function parsePath(text: string): Checked<string> {
  if (!text.startsWith('/')) return bad('is not an absolute path', 'start it with /')
  if (text.includes(',')) return bad('contains a comma', 'QEMU takes commas as separators of options: rename the file')
  const wrong = /[^\p{L}\p{M}\p{N} ._\-+@:=~/]/u.exec(text)
  if (wrong !== null)
    return bad(`contains ${quote(wrong[0])}`, 'use letters, digits, space and . _ - + @ : = ~ in paths')
  const parts = text.split('/').filter((part) => part !== '')
  if (parts.length === 0) return bad('is the root directory', 'name a directory of its own')
  const dots = parts.find((part) => part === '.' || part === '..')
  if (dots !== undefined) return bad(`contains a part "${dots}"`, 'write the path without . and ..')
  const long = parts.find((part) => Buffer.byteLength(part) > 200)
  if (long !== undefined || Buffer.byteLength(text) > 1024) {
    return bad('is too long', 'at most 1024 bytes, and 200 between two slashes')
  }
  return {ok: true, value: `/${parts.join('/')}`}
}

/**
 * MAC address of a guest's NIC, lower-cased: six octets with colons, unicast, not all zero, and not starting
 * with `fe`, which libvirt keeps for the host's side of a tap.
 */
export function parseMac(text: string): Checked<string> {
  const value = text.toLowerCase()
  const example = 'write six octets, such as 52:54:00:12:34:56'
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(value)) return bad('is not a MAC address', example)
  const first = Number.parseInt(value.slice(0, 2), 16)
  if (first % 2 === 1) return bad('is a multicast address', 'the first octet must be even, such as 52')
  if (value === '00:00:00:00:00:00') return bad('is all zero', example)
  if (value.startsWith('fe')) return bad('starts with fe, which libvirt reserves', example)
  return {ok: true, value}
}

/**
 * IPv4 or IPv6 address of a replication link, IPv6 in its canonical form. Loopback, unspecified, multicast and
 * link-local addresses are refused: the peer could not reach them.
 */
export function parseIpAddress(text: string): Checked<string> {
  const hint = 'write the address of the replication link on this host, such as 10.88.0.1'
  if (text.includes('/')) return bad('has a prefix length', 'write the address alone, such as 10.88.0.1')
  const value = text.includes(':') ? canonicalIpv6(text) : canonicalIpv4(text)
  if (value === undefined) return bad('is not an IP address', hint)
  if (/^(0\.|::$)/.test(value)) return bad('is not the address of one host', hint)
  if (/^(127\.|::1$)/.test(value)) return bad('is a loopback address, which the peer cannot reach', hint)
  if (/^(22[4-9]|2[3-5]\d)\./.test(value) || value.startsWith('ff')) return bad('is not the address of one host', hint)
  if (/^(169\.254\.|fe[89ab])/.test(value)) return bad('is a link-local address', hint)
  if (value.startsWith('::ffff:')) return bad('is an IPv4 address written as IPv6', 'write it as IPv4')
  return {ok: true, value}
}

function canonicalIpv4(text: string): string | undefined {
  const octet = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
  return new RegExp(`^${octet}(\\.${octet}){3}$`).test(text) ? text : undefined
}

function canonicalIpv6(text: string): string | undefined {
  if (!/^[0-9A-Fa-f:.]+$/.test(text) || !URL.canParse(`http://[${text}]/`)) return undefined
  return new URL(`http://[${text}]/`).hostname.slice(1, -1)
}

/** A text as it may be shown: JSON quotes and escapes, invisible characters escaped too, shortened to 60 characters. */
export function quote(text: string): string {
  const shown = text.length > 60 ? `${text.slice(0, 57)}...` : text
  return JSON.stringify(shown).replace(
    /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** The refusal of a text. */
export function bad(problem: string, hint: string): {ok: false; problem: string; hint: string} {
  return {ok: false, problem, hint}
}
