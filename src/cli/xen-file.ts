import {UsageError} from '../errors.js'
import type {PairSpec} from '../pair/spec.js'

/** The spec of a Xen pair. @throws {UsageError} when it is of another engine */
export async function readXenFile(file: string): Promise<PairSpec> {
  const {readPairFile} = await import('../config/pair-file.js')
  const spec = await readPairFile(file)
  if (spec.engine === 'xen') return spec
  throw new UsageError(`${file} describes a pair with engine: ${spec.engine}`, {hint: 'set engine: xen'})
}
