import {UsageError} from '../errors.js'

/** What is asked whether the service answers. */
export type ProbeTarget =
  | {readonly kind: 'tcp'; readonly url: string; readonly host: string; readonly port: number}
  | {readonly kind: 'http'; readonly url: string}

/** One try; rejects with the reason when there was no answer. */
export type ProbeOnce = (target: ProbeTarget, timeoutMs: number) => Promise<void>

/** @throws {UsageError} for anything but `tcp://HOST:PORT`, `http://…` and `https://…` */
export function parseProbe(text: string): ProbeTarget {
  const wrong = (why: string): UsageError =>
    new UsageError(`${JSON.stringify(text)} is no probe: ${why}`, {
      hint: 'Give tcp://HOST:PORT, http://HOST/PATH or https://HOST/PATH.',
    })
  if (!URL.canParse(text)) throw wrong('it is not a URL')
  const {protocol, hostname, port, pathname, username, password} = new URL(text)
  if (username !== '' || password !== '') throw wrong('a name and password are not sent')
  switch (protocol) {
    case 'http:':
    case 'https:':
      return {kind: 'http', url: text}
    case 'tcp:':
      if (hostname === '' || port === '') throw wrong('a host and a port are needed')
      if (pathname !== '' && pathname !== '/') throw wrong('a TCP connection has no path')
      return {kind: 'tcp', url: text, host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port)}
    default:
      throw wrong(`${protocol.slice(0, -1)} is not known`)
  }
}
