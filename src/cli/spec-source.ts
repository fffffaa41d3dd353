import {NotFoundError, UsageError} from '../errors.js'
import type {OperationContext} from '../operation/context.js'
import type {PairSpec} from '../pair/spec.js'

/** A spec is named by its file, or by a pair that exists. */
export interface SpecSource {
  readonly name?: string | undefined
  readonly file?: string | undefined
}

/** Reads the file. @throws {UsageError} when `name` is given, too, and is another one */
export async function specFromFile(file: string, name: string | undefined): Promise<PairSpec> {
  const {readPairFile} = await import('../config/pair-file.js')
  const spec = await readPairFile(file)
  if (name === undefined || name === spec.name) return spec
  throw new UsageError(`${file} describes ${spec.name}, not ${name}`, {
    hint: `Leave ${name} out, or give the file of ${name}.`,
  })
}

/** The spec of a file, else the one in the record of an existing pair. @throws {UsageError} when neither is named */
export async function specOf(context: OperationContext, {name, file}: SpecSource): Promise<PairSpec> {
  if (file !== undefined) return specFromFile(file, name)
  if (name === undefined) throw new UsageError('no pair', {hint: 'Name a pair, or give its file with -f FILE.'})
  const {observePair} = await import('../operation/observe.js')
  const {seen} = await observePair(context, name)
  for (const side of seen) {
    if ('member' in side && side.member.record !== undefined) return side.member.record.spec
  }
  throw new NotFoundError(`no host knows a pair named ${name}`, {hint: 'colo pair list shows them.'})
}
