import {bad, parseIpAddress, type Checked} from '../pair/names.js'
import type {ConnectionSpec} from '../pair/inventory.js'

const example = 'write local, or ssh://root@alpha.example:22'

/**
 * How a host is reached: `local` or `ssh://[user@]host[:port]`. User and host reach the argument list of ssh, so they
 * must not start with `-` and have only the characters of names; IPv6 addresses stand in brackets.
 */
export function parseConnection(text: string): Checked<ConnectionSpec> {
  if (text === 'local') return {ok: true, value: {kind: 'local'}}
  if (!text.startsWith('ssh://')) return bad('is not a connection', example)
  const parts = /^(?:([^@]*)@)?(\[[^\]]*\]|[^:@[\]]*)(?::(.*))?$/s.exec(text.slice('ssh://'.length))
  if (parts === null) return bad('is not a connection', example)
  const [, user, host = '', port] = parts
  if (user?.includes(':') === true)
    return bad('contains a password', 'use a key: ssh reads it from its own configuration')
  if (user !== undefined && !/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$/.test(user)) {
    return bad('has an impossible user', 'use letters, digits, ., _ and -, first a letter, a digit or _')
  }
  const address = parseAddress(host)
  if (address === undefined)
    return bad('has an impossible host', `use a name, an IPv4 address, or an IPv6 address in brackets; ${example}`)
  if (port !== undefined && !isPort(port)) return bad('has an impossible port', 'ports are 1 to 65535')
  return {
    ok: true,
    value: {
      kind: 'ssh',
      address,
      ...(user === undefined ? {} : {user}),
      ...(port === undefined ? {} : {port: Number(port)}),
    },
  }
}

/** Without brackets, names and addresses lower-cased. */
function parseAddress(host: string): string | undefined {
  if (host.startsWith('[')) {
    const inner = parseIpAddress(host.slice(1, -1))
    return inner.ok && inner.value.includes(':') ? inner.value : undefined
  }
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/.test(host) ? host.toLowerCase() : undefined
}

function isPort(text: string): boolean {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535
}

/** Text of a connection, as `parseConnection` reads it. */
export function formatConnection(connection: ConnectionSpec): string {
  if (connection.kind === 'local') return 'local'
  const {user, address, port} = connection
  const host = address.includes(':') ? `[${address}]` : address
  return `ssh://${user === undefined ? '' : `${user}@`}${host}${port === undefined ? '' : `:${port}`}`
}

/** Equal for two connections that reach the same machine, as far as the text tells: the user does not count. */
export function connectionKey(connection: ConnectionSpec): string {
  return connection.kind === 'local' ? 'local' : `${connection.address} port ${connection.port ?? 22}`
}
