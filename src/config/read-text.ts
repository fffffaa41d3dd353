import {open} from 'node:fs/promises'

import {NotFoundError, UsageError} from '../errors.js'
import {quote} from '../pair/names.js'
import {maxTextBytes} from './document.js'

/**
 * The text of a file, or of standard input for `-`, read up to just above the size limit, so that `/dev/zero`
 * ends too.
 *
 * @throws {NotFoundError} when there is no such file
 * @throws {UsageError} when it cannot be read or is not UTF-8
 */
export async function readConfigText(path: string): Promise<string> {
  const text = await readIfThere(path)
  if (text === undefined) throw new NotFoundError(`${path}: no such file`, {hint: 'check the path'})
  return text
}

/** As `readConfigText`, but undefined when there is no such file. */
export async function readIfThere(path: string): Promise<string | undefined> {
  const bytes = path === '-' ? await readAll(process.stdin) : await readFile(path)
  if (bytes === undefined) return undefined
  try {
    return new TextDecoder('utf-8', {fatal: true}).decode(bytes)
  } catch (cause) {
    // a cut at the limit may fall inside a character; the parser then reports the size
    if (bytes.length > maxTextBytes) return bytes.toString('latin1')
    throw new UsageError(`${path}: not UTF-8 text`, {hint: 'save the file as UTF-8', cause})
  }
}

async function readFile(path: string): Promise<Buffer | undefined> {
  try {
    const file = await open(path)
    return await readAll(file.createReadStream({end: maxTextBytes}))
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    const why = {EACCES: 'permission denied', EISDIR: 'it is a directory', ELOOP: 'too many links'}[code ?? '']
    throw new UsageError(`cannot read ${quote(path)}: ${why ?? code ?? String(cause)}`, {cause})
  }
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    chunks.push(chunk)
    size += chunk.length
    if (size > maxTextBytes) break
  }
  return Buffer.concat(chunks)
}
