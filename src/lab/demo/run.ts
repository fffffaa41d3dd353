import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {ColoError} from '../../errors.js'
import {exitCodes} from '../../exit-codes.js'
import {packageRoot} from '../../os/package-root.js'
import {run} from '../../os/process.js'
import {runAttached} from '../../os/spawn.js'
import {execIn} from '../exec.js'
import {powerOff, powerOn, startAgent} from '../faults.js'
import {labDown} from '../down.js'
import {labUp} from '../up.js'
import type {Progress} from '../progress.js'
import {demoAddress, demoPair, demoPairFile, formatTimeline, type DemoEvent} from './script.js'
import {openStream, type StreamSummary} from '../stream.js'

export interface DemoOptions {
  readonly progress: Progress
  readonly print: (line: string) => void
  /** leave the lab and the pair for playing with */
  readonly keep: boolean
}

export interface DemoResult {
  readonly timeline: readonly DemoEvent[]
  readonly stream: StreamSummary
}

/**
 * The main job, seen from outside: two hosts, a protected pair, a client, the primary's host loses its power, the service goes on, the
 * pair is protected again. Every `colo` command is run as a person would type it. Cleans up after itself, also when something fails.
 */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const {progress, print, keep} = options
  const {env} = await labUp({progress})
  Object.assign(process.env, env)
  const directory = await mkdtemp(join(tmpdir(), 'colo-demo-'))
  try {
    const file = join(directory, `${demoPair}.yaml`)
    await writeFile(file, demoPairFile())
    return await play({file, print})
  } finally {
    if (!keep) {
      await colo(print, ['pair', 'destroy', demoPair, '--yes', '--delete-copies', '--quiet']).catch(() => undefined)
      await progress.step('take the lab down', () => labDown())
    }
    await rm(directory, {recursive: true, force: true})
  }
}

async function play({file, print}: {file: string; print: (line: string) => void}): Promise<DemoResult> {
  const timeline: DemoEvent[] = []
  const mark = (text: string): void => {
    timeline.push({atMs: Date.now(), text})
  }
  mark('two hosts are up: alpha and beta')
  await colo(print, ['disk', 'prepare', '-f', file])
  await colo(print, ['pair', 'create', '-f', file])
  mark('colo pair create: protected')
  await waitForGuest()
  const stream = await openStream(demoAddress)
  try {
    mark('a client is connected: a numbered line every 50 ms, echoed by the guest')
    await colo(print, ['pair', 'status', demoPair])
    await put('before', 'written-before')

    print(
      '\n⚡ the power of alpha, the host of the primary, is cut: its links fall silent, then everything on it is dead\n',
    )
    await powerOff('alpha')
    mark("alpha's power is cut")
    await colo(print, ['pair', 'failover', demoPair, '--yes', '--force', 'peer-unknown'])
    mark('colo pair failover: beta goes on')
    print(`\nthe guest answers from beta; what was written before is there: ${await get('before')}\n`)
    await put('after', 'written-after')

    await powerOn('alpha')
    await startAgent('alpha')
    mark('alpha is back')
    await colo(print, ['pair', 'wait', demoPair, '--for', 'protected', '--timeout', '120s'])
    mark('its agent has made it the secondary: protected again')
    await colo(print, ['pair', 'status', demoPair])
    const summary = await stream.stop()
    mark(describeStream(summary))
    print('\nwhat happened')
    for (const line of formatTimeline(timeline)) print(line)
    mustBeWhole(summary)
    return {timeline, stream: summary}
  } finally {
    await stream.kill()
  }
}

function describeStream(summary: StreamSummary): string {
  const longest = Math.max(0, ...summary.gaps.map(({ms}) => ms))
  return (
    `the client's connection: ${summary.received} of ${summary.sent} lines echoed, ${summary.lost} lost, ${summary.doubled} doubled, ` +
    `${summary.resets} resets; longest silence ${longest} ms`
  )
}

function mustBeWhole(summary: StreamSummary): void {
  if (summary.lost + summary.doubled + summary.resets === 0) return
  throw new ColoError(
    'demo-failed',
    exitCodes.internal,
    `the client's connection did not survive: ${JSON.stringify(summary)}`,
  )
}

const sectors: Readonly<Record<string, number>> = {before: 100, after: 101}

async function put(name: string, value: string): Promise<void> {
  await http(`/write?disk=0&sector=${sectors[name] ?? 0}&value=${value}`)
}

async function get(name: string): Promise<string> {
  return await http(`/read?disk=0&sector=${sectors[name] ?? 0}`)
}

async function http(path: string): Promise<string> {
  const {stdout} = await execIn('client', ['curl', '-gsS', '--max-time', '10', `http://${demoAddress}${path}`], {
    timeoutMs: 12_000,
  })
  return stdout.trim()
}

async function waitForGuest(): Promise<void> {
  const until = performance.now() + 60_000
  for (;;) {
    try {
      await run(['ip', 'netns', 'exec', 'colo-client', 'curl', '-gsS', '--max-time', '1', `http://${demoAddress}/`])
      return
    } catch (error) {
      if (performance.now() > until) throw error
    }
  }
}

/** Runs a colo command on this terminal. @throws when its exit status is not 0 */
async function colo(print: (line: string) => void, args: readonly string[]): Promise<void> {
  print(`\n$ colo ${args.map((arg) => (arg.includes('/') ? (arg.split('/').at(-1) ?? arg) : arg)).join(' ')}`)
  const status = await runAttached([process.execPath, join(packageRoot(), 'bin', 'run.js'), ...args])
  if (status !== 0)
    throw new ColoError('demo-failed', exitCodes.internal, `colo ${args.join(' ')} ended with ${status}`)
}
