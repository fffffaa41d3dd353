import type {PairRecord} from '../pair/record.js'

/** The definition an imported pair gives back to the libvirt of `host`; undefined for a pair that was none before. */
export async function plainDefinition(
  {origin, spec}: Pick<PairRecord, 'origin' | 'spec'>,
  host: string,
): Promise<string | undefined> {
  if (origin === undefined) return undefined
  const {plainXml} = await import('../libvirt/import-origin.js')
  return plainXml(origin, spec, host)
}
