import assert from 'node:assert/strict'
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {dirname} from 'node:path'

/**
 * Compares text with a golden file; `UPDATE=1` writes the file instead.
 *
 * @param file  the golden file, as in `new URL('./pc.xml', import.meta.url)`
 */
export function assertGolden(file: URL, actual: string): void {
  if (process.env['UPDATE'] === '1') {
    mkdirSync(dirname(file.pathname), {recursive: true})
    writeFileSync(file, actual)
    return
  }
  assert.equal(actual, readGolden(file), `differs from ${file.pathname}; UPDATE=1 npm run test:fast accepts it`)
}

function readGolden(file: URL): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new Error(`${file.pathname} is missing; UPDATE=1 npm run test:fast writes it`, {cause: error})
  }
}
