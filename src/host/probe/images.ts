import {dirname} from 'node:path'
import {DecodeError, ToolError} from '../../errors.js'
import type {Files} from '../../os/files.js'
import type {Argv, Run} from '../../os/process.js'
import type {ImageFacts} from '../facts.js'
import {kindOf, probeDirectory} from './storage.js'

const INFO_MS = 5000

/** `-U` reads without taking locks, also while a guest writes. */
export function imageInfoArgv(path: string, locking: 'with-lock' | 'without-lock'): Argv {
  const share = locking === 'with-lock' ? [] : ['-U']
  return ['qemu-img', 'info', '--output=json', ...share, '--', path]
}

/**
 * Looks at one file. In use means that qemu-img cannot take the lock that every QEMU takes, or that a loop device has it;
 * other programs that have it open are not seen.
 *
 * @param loops files behind loop devices, from `loopFiles`
 */
export async function probeImage(
  path: string,
  deps: {readonly run: Run; readonly mounts: string; readonly loops: readonly string[]},
): Promise<ImageFacts> {
  try {
    const kind = await kindOf(path)
    const directory = await probeDirectory(kind === 'directory' ? path : dirname(path), deps.mounts)
    if (kind === 'absent') return {path, exists: false, directory}
    if (kind === 'directory') return {path, exists: true, problem: 'is a directory', directory}
    return {...(await askImage(path, deps)), directory}
  } catch (error) {
    return {path, exists: true, problem: reasonOf(error)}
  }
}

async function askImage(
  path: string,
  {run, loops}: {readonly run: Run; readonly loops: readonly string[]},
): Promise<ImageFacts> {
  const looped = loops.includes(path)
  try {
    const {stdout} = await run(imageInfoArgv(path, 'with-lock'), {timeoutMs: INFO_MS})
    return {path, exists: true, ...parseImageInfo(stdout), inUse: looped}
  } catch (error) {
    if (!isLocked(error)) throw error
    const {stdout} = await run(imageInfoArgv(path, 'without-lock'), {timeoutMs: INFO_MS})
    return {path, exists: true, ...parseImageInfo(stdout), inUse: true}
  }
}

/** ToolError's message would begin with the program's name twice. */
function reasonOf(error: unknown): string {
  if (!(error instanceof ToolError) || error.failure.kind !== 'exit') return (error as Error).message
  return error.failure.firstLine.replace(/^qemu-img: /, '')
}

/** @see qemu block/file-posix.c, raw_check_lock_bytes */
export function isLocked(error: unknown): boolean {
  if (!(error instanceof ToolError) || error.failure.kind !== 'exit') return false
  return /Failed to get .*lock|Is another process using the image/.test(error.failure.firstLine)
}

/**
 * Reads `qemu-img info --output=json`.
 *
 * @throws {DecodeError} when it is not that
 */
export function parseImageInfo(
  stdout: string,
): Pick<ImageFacts, 'format' | 'virtualSizeBytes' | 'backing' | 'snapshots'> {
  let value: unknown
  try {
    value = JSON.parse(stdout)
  } catch (cause) {
    throw new DecodeError({source: 'qemu-img info', path: 'output', expected: 'JSON'}, {cause})
  }
  const info = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  const {format, snapshots} = info
  const size = info['virtual-size']
  const backing = info['backing-filename']
  if (typeof format !== 'string') throw new DecodeError({source: 'qemu-img info', path: 'format', expected: 'a string'})
  if (typeof size !== 'number')
    throw new DecodeError({source: 'qemu-img info', path: 'virtual-size', expected: 'a number'})
  return {
    format,
    virtualSizeBytes: size,
    snapshots: Array.isArray(snapshots) ? snapshots.length : 0,
    ...(typeof backing === 'string' ? {backing} : {}),
  }
}

/** Files behind the loop devices of this machine. */
export async function loopFiles(files: Files): Promise<string[]> {
  const devices = (await files.list('/sys/block')).filter((name) => name.startsWith('loop'))
  const texts = await Promise.all(devices.map((name) => files.readText(`/sys/block/${name}/loop/backing_file`)))
  return texts.flatMap((text) => (text === undefined ? [] : [text.trim()]))
}
