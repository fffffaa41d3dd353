import {existsSync} from 'node:fs'
import {labUp, lineProgress} from '../../src/lab/index.js'
import * as agent from './agent.js'
import * as create from './create.js'
import * as failover from './failover.js'
import * as forward from './forward.js'
import * as gap from './gap.js'
import {formatReport, loadLine, machine, type Report} from './harness.js'
import {isInSandbox, runInSandbox} from './sandbox.js'
import * as status from './status.js'
import * as xml from './xml.js'

/**
 * `npm run bench [-- NAME ...]`: every benchmark, or those named. Ratios of one run on one machine, with their spread; nothing is asserted
 * about time. What needs the lab gets one of its own in a sandbox.
 */
interface Benchmark {
  readonly needsLab: boolean
  readonly measure: () => Promise<Report>
}

/** `colo top` with 200 pairs is measured beside its own tests; it takes part where it is there. */
const topFile = new URL('top/index.ts', import.meta.url)
const measureTop = async (): Promise<Report> => ((await import(topFile.href)) as Pick<Benchmark, 'measure'>).measure()

const benchmarks: Readonly<Record<string, Benchmark>> = {
  xml: {needsLab: false, ...xml},
  agent: {needsLab: false, ...agent},
  status: {needsLab: true, ...status},
  create: {needsLab: true, ...create},
  failover: {needsLab: true, ...failover},
  gap: {needsLab: true, ...gap},
  forward: {needsLab: true, ...forward},
  ...(existsSync(topFile) ? {top: {needsLab: false, measure: measureTop}} : {}),
}

/** The whole run ends by then, whatever hangs; a first lab of a machine takes longer to build and is not counted. */
const limitMs = 480_000

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !Object.hasOwn(benchmarks, name))
const chosen = Object.entries(benchmarks).filter(([name]) => wanted.length === 0 || wanted.includes(name))
if (unknown.length > 0) {
  console.error(`no benchmark ${unknown.join(', ')}; there are ${Object.keys(benchmarks).join(', ')}`)
  process.exitCode = 2
} else if (chosen.some(([, {needsLab}]) => needsLab) && !isInSandbox()) {
  process.exitCode = await runInSandbox(process.argv.slice(1))
} else {
  process.exitCode = await run()
  process.exit()
}

/** @returns the exit status: 1 when a benchmark could not be run */
async function run(): Promise<number> {
  console.log(machine().join('\n'))
  if (isInSandbox()) await openLab()
  setTimeout(() => {
    console.error(`gave up after ${limitMs / 1000} s`)
    process.exit(1)
  }, limitMs).unref()
  let failed = 0
  for (const [name, {measure}] of chosen) {
    try {
      console.log(`\n${formatReport(await measure())}\n  ${loadLine()}`)
    } catch (error) {
      failed++
      console.log(`\n${name}: could not be measured: ${error instanceof Error ? (error.stack ?? '') : String(error)}`)
    }
  }
  return failed === 0 ? 0 : 1
}

/** It ends with the sandbox. */
async function openLab(): Promise<void> {
  const {accelerator, versions, env} = await labUp({progress: lineProgress((line) => console.error(line))})
  Object.assign(process.env, env)
  console.log(
    `lab     accelerator ${accelerator}; ${Object.entries(versions)
      .map(([name, text]) => `${name} ${text}`)
      .join(', ')}`,
  )
}
