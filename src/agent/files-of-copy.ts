import type {Files} from '../os/files.js'
import {copyFaults, filesOfCopy, type CopyFault} from '../pair/copy-faults.js'
import type {PairRecord} from '../pair/record.js'

/** Looks at the files of this host's copy and compares them with its record. */
export async function faultsOfCopy(record: PairRecord, files: Files): Promise<CopyFault[]> {
  const paths = filesOfCopy(record)
  const found = await Promise.all(paths.map((path) => files.stat(path)))
  return copyFaults(record, new Map(paths.map((path, index) => [path, found[index]])))
}
