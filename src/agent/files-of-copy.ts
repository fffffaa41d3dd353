import type {Files} from '../os/files.js'
import {copyFaults, filesOfCopy, writtenSinceStop, type CopyFault, type FileNow} from '../pair/copy-faults.js'
import type {PairRecord} from '../pair/record.js'

/** Looks at the files of this host's copy and compares them with its record. */
export async function faultsOfCopy(record: PairRecord, files: Files): Promise<CopyFault[]> {
  return copyFaults(record, await filesNow(record, files))
}

/** The first image of a copy that was stopped cleanly and has been written to since; undefined when none was. */
export async function writtenImage(record: PairRecord, files: Files): Promise<string | undefined> {
  return writtenSinceStop(record, await filesNow(record, files))
}

async function filesNow(record: PairRecord, files: Files): Promise<Map<string, FileNow>> {
  const paths = filesOfCopy(record)
  const found = await Promise.all(paths.map((path) => files.stat(path)))
  return new Map(paths.map((path, index) => [path, found[index]]))
}
