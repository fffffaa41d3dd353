import {isMap} from 'yaml'

import {parseHostName} from '../pair/names.js'
import type {PerHost} from '../pair/spec.js'
import {checked, MapFields, refuse, type Field, type Reader} from './fields.js'
import {suggestion} from './suggest.js'

/** Hosts a pair names; `undefined` while its `hosts` have problems of their own, then nothing is held against them. */
export type KnownHosts = readonly string[] | undefined

/**
 * A value, or a map from host name to value. The map may name hosts of the pair only, and `every` one of them
 * unless there is something else to fall back on.
 */
export function perHost<V>(read: Reader<V>, hosts: KnownHosts, coverage: 'every' | 'some'): Reader<PerHost<V>> {
  return (field) => {
    if (isMap(field.node)) return readMap(field, {read, hosts, coverage})
    const same = read(field)
    return same === undefined ? undefined : {same}
  }
}

function readMap<V>(
  field: Field,
  rule: {readonly read: Reader<V>; readonly hosts: KnownHosts; readonly coverage: 'every' | 'some'},
): PerHost<V> | undefined {
  const byHost: Record<string, V> = {}
  const named = new Set<string>()
  for (const [key, valueField] of MapFields.of(field)?.entries() ?? []) {
    const host = checked(parseHostName)(key)
    const value = rule.read(valueField)
    if (host === undefined) continue
    named.add(host)
    if (rule.hosts?.includes(host) === false) {
      refuse(key, `host ${host} is not one of this pair`, suggestion(host, rule.hosts))
    }
    if (value !== undefined) byHost[host] = value
  }
  if (named.size === 0) return refuse(field, 'is an empty map', 'write one value for all hosts, or one per host')
  const missing = rule.coverage === 'every' ? rule.hosts?.filter((host) => !named.has(host)) : undefined
  if (missing !== undefined && missing.length > 0) {
    return refuse(
      field,
      `says nothing for host ${missing.join(' and ')}`,
      `add ${missing.map((host) => `${host}: ...`).join(', ')}`,
    )
  }
  return {byHost}
}
