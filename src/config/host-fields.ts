import {
  bad,
  parseDirectoryPath,
  parseHostName,
  parseInterfaceName,
  parseIpAddress,
  type Checked,
} from '../pair/names.js'
import type {HostEntry} from '../pair/inventory.js'
import {connectionKey, parseConnection} from './connection.js'
import {asItems, checked, listOf, MapFields, refuse, wholeNumber, type Field, type Reader} from './fields.js'
import {sizeWithin, timeWithin} from './quantities.js'

/** What a host has when its entry does not say otherwise. */
export const hostDefaults = {
  ports: {from: 9100, to: 9999},
  scratch: '/run/colo/scratch',
  images: '/var/lib/colo/images',
} as const

/** `hosts:` of an inventory: entries by name; no two may be the same machine. */
export const readHosts: Reader<readonly HostEntry[]> = (field) => {
  const entries = MapFields.of(field)
    ?.entries()
    .map(([key, value]) => ({host: readHost(key, value), value}))
  if (entries === undefined) return undefined
  const seen = new Map<string, string>()
  for (const {host, value} of entries) {
    if (host === undefined) continue
    const uses = {connection: connectionKey(host.connection), replication: host.replication}
    for (const [key, used] of Object.entries(uses)) {
      const before = seen.get(`${key} ${used}`)
      const place = MapFields.of(value)?.at(key) ?? value
      if (before !== undefined)
        refuse(place, `hosts identical: ${used} is that of ${before} too`, 'each host needs its own')
      seen.set(`${key} ${used}`, before ?? host.name)
    }
  }
  return entries.map(({host}) => host).filter((host) => host !== undefined)
}

function readHost(key: Field, value: Field): HostEntry | undefined {
  const name = checked(parseHostName)(key)
  const fields = MapFields.of(value)
  if (fields === undefined) return undefined
  const connection = fields.required('connection', checked(parseConnection))
  const replication = fields.required('replication', checked(parseIpAddress))
  const ports = fields.optional('ports', checked(parsePorts), hostDefaults.ports)
  const scratch = fields.optional('scratch', checked(parseDirectoryPath), hostDefaults.scratch)
  const images = fields.optional('images', checked(parseDirectoryPath), hostDefaults.images)
  const bridges = fields.optional('bridges', interfaces, [])
  const forward = fields.optional('forward', interfaces, [])
  const limits = fields.optional('limits', readLimits, {})
  const answerTimeoutMs = fields.maybe('answerTimeout', timeWithin({min: '5s', max: '5m'}))
  fields.finish()
  if (name === undefined || connection === undefined || replication === undefined) return undefined
  return {
    name,
    connection,
    replication,
    ports,
    scratch,
    images,
    bridges,
    forward,
    limits,
    ...(answerTimeoutMs === undefined ? {} : {answerTimeoutMs}),
  }
}

/** Interface names, each once. */
const interfaces: Reader<readonly string[]> = (field) => {
  const names = listOf(checked(parseInterfaceName))(field)
  if (names === undefined) return undefined
  asItems(field)?.forEach((item, index) => {
    if (names.indexOf(names[index] ?? '') !== index && names.length > index)
      refuse(item, 'is listed twice', 'remove one')
  })
  return names
}

/** `9100-9999`: the first port is the beacon's, a pair with one disk and one NIC takes four more. */
function parsePorts(text: string): Checked<HostEntry['ports']> {
  const hint = 'write first-last, such as 9100-9999'
  const parts = /^(\d{1,5}) ?- ?(\d{1,5})$/.exec(text)
  if (parts === null) return bad('is not a range of ports', hint)
  const [from, to] = [Number(parts[1]), Number(parts[2])]
  if (from < 1024 || to > 65_535) return bad('is outside of 1024-65535', hint)
  if (to < from) return bad('ends before it starts', hint)
  if (to - from < 4) return bad('is too short', 'a host needs at least five ports, and two more for each further NIC')
  return {ok: true, value: {from, to}}
}

const readLimits: Reader<HostEntry['limits']> = (field) => {
  const fields = MapFields.of(field)
  if (fields === undefined) return undefined
  const pairs = fields.maybe('pairs', wholeNumber({min: 0, max: 10_000}))
  const memoryBytes = fields.maybe('memory', sizeWithin({min: '16MiB', max: '64TiB'}, {bytes: 1, text: 'a byte'}))
  fields.finish()
  return {...(pairs === undefined ? {} : {pairs}), ...(memoryBytes === undefined ? {} : {memoryBytes})}
}
