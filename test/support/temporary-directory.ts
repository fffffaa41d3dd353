import {mkdtempSync} from 'node:fs'
import {rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {T} from './suite.js'

/** Makes a directory that goes with the test; what an ending process still writes into it is waited for. */
export function temporaryDirectory(t: T, name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `colo-${name}-`))
  t.defer(() => rm(directory, {recursive: true, force: true, maxRetries: 20, retryDelay: 50}))
  return directory
}
