import {existsSync, readFileSync} from 'node:fs'

import {suite, type Suite, type T} from './suite.js'

export type LabTest = (title: string, body: (t: T) => unknown, ms?: number) => void

/** A suite whose tests are skipped, with the reason, on a machine that cannot hold a lab. */
export function labSuite(name: string): {readonly test: LabTest; readonly whole: Suite} {
  const whole = suite(name)
  const why = whyNoLab()
  if (why === undefined) return {whole, test: whole}
  return {whole, test: (title) => whole.skip(title, why)}
}

/** What this machine lacks for a lab; undefined when nothing is known to be missing. */
export function whyNoLab(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root'
  if (!existsSync('/proc/self/ns/net')) return 'the kernel has no network namespaces'
  if (!readFileSync('/proc/filesystems', 'utf8').includes('overlay')) return 'the kernel has no overlay file system'
  return undefined
}
