import {UsageError} from '../errors.js'

/** @throws {UsageError} unless it is an IPv4 or IPv6 address in numbers, without brackets, zone or prefix length */
export function checkAddress(what: string, value: string): string {
  if (isIpv4(value) || isIpv6(value)) return value
  throw bad(what, value, 'an IPv4 or IPv6 address')
}

/** @throws {UsageError} unless it is a TCP port that can be listened on */
export function checkPort(what: string, value: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= 65_535) return value
  throw bad(what, String(value), 'a port between 1 and 65535')
}

/** Ids of QEMU objects, chardevs, nodes and jobs. @see qemu/qemu util/id.c, id_wellformed */
export function checkId(what: string, value: string): string {
  if (/^[A-Za-z][A-Za-z0-9._-]{0,127}$/.test(value)) return value
  throw bad(what, value, 'an id: a letter, then letters, digits, ".", "_" or "-"')
}

/** @throws {UsageError} unless it is absolute, without `..` and control characters */
export function checkPath(what: string, value: string): string {
  // eslint-disable-next-line no-control-regex -- a newline in a path is what must be kept out
  if (value.startsWith('/') && !/[\u0000-\u001f\u007f]/.test(value) && !value.split('/').includes('..')) return value
  throw bad(what, value, 'an absolute path without ".." and control characters')
}

/** Interface names. @see linux net/core/dev.c, dev_valid_name; stricter, so that no quoting is needed anywhere */
export function checkInterface(what: string, value: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/.test(value)) return value
  throw bad(what, value, 'the name of a network interface')
}

/** Names of our nftables tables. @see nft(8), "identifiers begin with an alphabetic character" */
export function checkTable(what: string, value: string): string {
  if (/^colo-[A-Za-z0-9_.-]{1,100}$/.test(value)) return value
  throw bad(what, value, 'the name of a table of ours: "colo-", then letters, digits, ".", "_" or "-"')
}

/** A whole number of at least `least`. */
export function checkCount(what: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value
  throw bad(what, String(value), `a whole number of at least ${least}`)
}

export function isIpv6(value: string): boolean {
  if (!/^[0-9A-Fa-f:.]+$/.test(value) || !value.includes(':')) return false
  try {
    return new URL(`http://[${value}]/`).hostname !== ''
  } catch {
    return false
  }
}

function isIpv4(value: string): boolean {
  const octets = value.split('.')
  return octets.length === 4 && octets.every((octet) => /^(0|[1-9][0-9]{0,2})$/.test(octet) && Number(octet) <= 255)
}

function bad(what: string, value: string, expected: string): UsageError {
  return new UsageError(`${what}: ${JSON.stringify(value)} is not ${expected}`)
}
