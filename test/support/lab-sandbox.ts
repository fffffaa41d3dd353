import {rmSync} from 'node:fs'
import {mkdtemp, readFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {nsenterArgv} from '../../src/lab/exec.js'
import {systemClock} from '../../src/os/clock.js'
import {childrenOf, identify, signalProcess} from '../../src/os/proc.js'
import {run, type Argv, type RunOptions, type RunResult} from '../../src/os/process.js'
import {spawnDetached} from '../../src/os/spawn.js'

const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** The first lab of a machine builds a root file system: minutes on a slow mirror. */
export const buildMs = 1_500_000

/** A program in the background, its output in a file. */
export interface Background {
  output(): Promise<string>
  kill(): Promise<void>
}

/**
 * Namespaces in which a whole lab can be built beside the one of the machine: own network, own /run, own process numbers. Everything in
 * it ends with this process, however that ends; only the cache of root file systems is shared.
 */
export interface LabSandbox {
  /** lines of /proc/self/mounts before anything was done; a lab of the machine itself shows up there */
  readonly mountsBefore: readonly string[]
  run(argv: Argv, options?: RunOptions): Promise<RunResult>
  /** the project's own command line, from the sources */
  colo(args: readonly string[], options?: RunOptions): Promise<RunResult>
  /** what `lab exec PLACE` runs, without a Node of its own each time */
  on(place: string, argv: Argv): Promise<RunResult>
  /** the same in the background; settles when the output holds `until` */
  start(place: string, argv: Argv, until: string): Promise<Background>
}

let shared: Promise<LabSandbox> | undefined

/** One sandbox with a lab that is up, for all tests that leave it up. */
export function sharedLab(): Promise<LabSandbox> {
  shared ??= openLabSandbox().then(async (sandbox) => {
    await sandbox.colo(['lab', 'up'], {timeoutMs: buildMs})
    return sandbox
  })
  return shared
}

/** A new sandbox without a lab. @throws {ToolError} when namespaces cannot be made here */
export async function openLabSandbox(): Promise<LabSandbox> {
  const directory = await mkdtemp(join(tmpdir(), 'colo-sandbox-'))
  process.once('exit', () => {
    rmSync(directory, {recursive: true, force: true})
  })
  const inner = await startSandbox(join(directory, 'sandbox.log'))
  const namespaces = ['nsenter', '--target', String(inner), '--net', '--mount', '--pid', '--'] as const
  const inside = (argv: Argv): Argv => [
    ...namespaces,
    'env',
    '-C',
    project,
    'COLO_LAB_DATA=/run/colo-lab-data',
    ...argv,
  ]
  const runInside: LabSandbox['run'] = (argv, options) => run(inside(argv), {timeoutMs: 60_000, ...options})
  const placed = async (place: string, argv: Argv): Promise<Argv> => {
    if (place === 'client') return ['ip', 'netns', 'exec', 'colo-client', ...argv]
    const {stdout} = await runInside(['cat', `/run/colo-lab/host-${place}.json`])
    return nsenterArgv((JSON.parse(stdout) as {init: {pid: number}}).init.pid, argv)
  }
  const {stdout} = await runInside(['cat', '/proc/self/mounts'])
  return {
    mountsBefore: stdout.split('\n'),
    run: runInside,
    colo: (args, options) => runInside([join(project, 'bin/dev.js'), ...args], {timeoutMs: 600_000, ...options}),
    on: async (place, argv) => runInside(await placed(place, argv)),
    start: async (place, argv, until) => {
      const log = join(directory, `${process.hrtime.bigint()}.log`)
      return inBackground(inside(await placed(place, argv)), {until, log})
    },
  }
}

/** Polls a condition, for 20 s unless told. */
export async function waitFor(done: () => Promise<boolean>, what: string, limitMs = 20_000): Promise<void> {
  const start = systemClock.monotonic()
  while (!(await done())) {
    if (systemClock.monotonic() - start > limitMs) throw new Error(`waited ${limitMs} ms for ${what}`)
    await systemClock.sleep(25)
  }
}

/** @returns the process number of its PID 1, which reaps orphans */
async function startSandbox(log: string): Promise<number> {
  const script =
    'mount -t tmpfs tmpfs /run && ip link set lo up && echo ready && while :; do sleep 1000 & wait $!; done'
  const unshare = ['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', script]
  const outer = await spawnDetached(['setpriv', '--pdeathsig', 'KILL', ...unshare], log)
  await waitFor(async () => (await readFile(log, 'utf8')).includes('ready'), 'the sandbox')
  const [inner] = await childrenOf(outer)
  if (inner === undefined) throw new Error('the sandbox has no first process')
  return inner
}

async function inBackground(argv: Argv, at: {until: string; log: string}): Promise<Background> {
  const pid = await spawnDetached(argv, at.log)
  const output = (): Promise<string> => readFile(at.log, 'utf8')
  await waitFor(async () => (await output()).includes(at.until), `${argv.at(-1) ?? ''} to print ${at.until}`)
  return {
    output,
    kill: async () => {
      for (const number of [...(await descendantsOf(pid)), pid]) {
        const id = await identify(number)
        if (id !== undefined) await signalProcess(id, 'SIGKILL')
      }
    },
  }
}

async function descendantsOf(pid: number): Promise<number[]> {
  const children = await childrenOf(pid)
  const below = await Promise.all(children.map(descendantsOf))
  return [...below.flat(), ...children]
}
