import {oneOf, type MapFields} from './fields.js'

/** `apiVersion` and `kind`: checked before the rest, which another version may spell otherwise. */
export function readHeader(fields: MapFields, kind: 'Pair' | 'Hosts'): void {
  fields.required('apiVersion', oneOf(['colo/v1']))
  fields.required('kind', oneOf([kind]))
  fields.reportMissing()
}
