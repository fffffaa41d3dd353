import type {HostFacts} from '../facts.js'

/**
 * Reads /proc/cpuinfo: the model of the first processor, and how many there are.
 *
 * @see proc_cpuinfo(5)
 */
export function parseCpuinfo(text: string): HostFacts['cpu'] {
  const model = /^model name\s*:\s*(.*)$/m.exec(text)?.[1]?.trim() ?? ''
  return {model, count: text.match(/^processor\s*:/gm)?.length ?? 0}
}

/**
 * Reads /proc/meminfo. `MemAvailable` is what can be had without swapping.
 *
 * @throws when one of the two is missing, which no kernel since 3.14 does
 */
export function parseMeminfo(text: string): HostFacts['memory'] {
  return {totalBytes: kibibytes(text, 'MemTotal'), availableBytes: kibibytes(text, 'MemAvailable')}
}

function kibibytes(text: string, name: string): number {
  const value = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]
  if (value === undefined) throw new Error(`/proc/meminfo has no ${name}`)
  return Number(value) * 1024
}

const LISTEN = '0A'

/**
 * Ports of listening sockets in /proc/net/tcp or tcp6, each once, in order.
 *
 * @see linux Documentation/networking/proc_net_tcp.rst
 */
export function parseListening(...tables: readonly string[]): number[] {
  const ports = new Set<number>()
  for (const line of tables.join('\n').split('\n')) {
    const [, local, , state] = line.trim().split(/\s+/, 4)
    const port = local?.split(':')[1]
    if (state === LISTEN && port !== undefined) ports.add(parseInt(port, 16))
  }
  return [...ports].sort((a, b) => a - b)
}

/**
 * Type of the file system a path is on, by /proc/mounts: that of the longest mount point above it, the last one mounted there.
 *
 * @returns undefined when the table says nothing about it
 */
export function fileSystemOf(mounts: string, path: string): string | undefined {
  let best: {readonly point: string; readonly type: string} | undefined
  for (const line of mounts.split('\n')) {
    const [, escaped, type] = line.split(' ')
    if (escaped === undefined || type === undefined) continue
    const point = unescapeOctal(escaped)
    const above = point === '/' || path === point || path.startsWith(`${point}/`)
    if (above && (best === undefined || point.length >= best.point.length)) best = {point, type}
  }
  return best?.type
}

/** File systems whose content is in memory (tmpfs may be swapped out). */
export function isMemoryBacked(fileSystem: string | undefined): boolean {
  return fileSystem === 'tmpfs' || fileSystem === 'ramfs'
}

/** Blanks in /proc/mounts are `\040`. @see getmntent(3) */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)))
}
