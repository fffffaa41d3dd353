import {mkdtemp, readFile, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {systemClock} from '../../src/os/clock.js'
import {childrenOf, identify, signalProcess, type ProcessId} from '../../src/os/proc.js'
import {run, type Argv, type RunOptions, type RunResult} from '../../src/os/process.js'
import {spawnDetached} from '../../src/os/spawn.js'

const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/**
 * Namespaces in which a whole lab can be built beside the one of the machine: own network, own /run, own process numbers.
 * Everything in it ends with it; only the cache is shared.
 */
export interface LabSandbox {
  /** directory of the machine for files that tests read from both sides */
  readonly directory: string
  /** lines of /proc/self/mounts before anything was done; a lab of the machine itself shows up there */
  readonly mountsBefore: readonly string[]
  run(argv: Argv, options?: RunOptions): Promise<RunResult>
  /** the project's own command line, from the sources */
  colo(args: readonly string[], options?: RunOptions): Promise<RunResult>
  /** runs in the background with its output in a file; settles when the output holds `until` */
  background(
    argv: Argv,
    until: string,
  ): Promise<{readonly output: () => Promise<string>; readonly kill: () => Promise<void>}>
  close(): Promise<void>
}

/** @throws {ToolError} when namespaces cannot be made here */
export async function openLabSandbox(): Promise<LabSandbox> {
  const directory = await mkdtemp(join(tmpdir(), 'colo-sandbox-'))
  const script =
    'mount -t tmpfs tmpfs /run && ip link set lo up && echo ready && while :; do sleep 1000 & wait $!; done'
  const log = join(directory, 'sandbox.log')
  const outer = await spawnDetached(
    // it dies with this process, however that ends
    [
      'setpriv',
      '--pdeathsig',
      'KILL',
      'unshare',
      '--net',
      '--mount',
      '--pid',
      '--fork',
      '--kill-child',
      '--mount-proc',
      'sh',
      '-c',
      script,
    ],
    log,
  )
  const holder = (await identify(outer)) ?? {pid: outer, startTicks: -1}
  await waitFor(async () => (await readFile(log, 'utf8')).includes('ready'), 'the sandbox')
  const [inner] = await childrenOf(outer)
  const env = [`COLO_LAB_DATA=${join(directory, 'data')}`]
  const inside = (argv: Argv): Argv => [
    'nsenter',
    '--target',
    String(inner),
    '--net',
    '--mount',
    '--pid',
    '--',
    'env',
    '-C',
    project,
    ...env,
    ...argv,
  ]
  const before = await run(inside(['cat', '/proc/self/mounts']))
  return {
    directory,
    mountsBefore: before.stdout.split('\n'),
    run: (argv, options) => run(inside(argv), {timeoutMs: 60_000, ...options}),
    colo: (args, options) => run(inside([join(project, 'bin/dev.js'), ...args]), {timeoutMs: 600_000, ...options}),
    background: (argv, until) =>
      inBackground(inside(argv), {until, log: join(directory, `bg-${process.hrtime.bigint()}.log`)}),
    close: async () => {
      await endSandbox(holder)
      await rm(directory, {recursive: true, force: true})
    },
  }
}

async function inBackground(argv: Argv, at: {until: string; log: string}): ReturnType<LabSandbox['background']> {
  const pid = await spawnDetached(argv, at.log)
  const id = await identify(pid)
  const output = (): Promise<string> => readFile(at.log, 'utf8')
  await waitFor(async () => (await output()).includes(at.until), `${argv.at(-1) ?? ''} to print ${at.until}`)
  return {
    output,
    kill: async () => {
      for (const child of await childrenOf(pid)) {
        const known = await identify(child)
        if (known !== undefined) await signalProcess(known, 'SIGKILL')
      }
      if (id !== undefined) await signalProcess(id, 'SIGKILL')
    },
  }
}

async function endSandbox(holder: ProcessId): Promise<void> {
  const [inner] = await childrenOf(holder.pid)
  const init = inner === undefined ? undefined : await identify(inner)
  await signalProcess(holder, 'SIGKILL')
  await waitFor(
    async () => init === undefined || (await identify(init.pid))?.startTicks !== init.startTicks,
    'the sandbox to end',
  )
}

/** Polls a condition for at most 20 s. */
export async function waitFor(done: () => Promise<boolean>, what: string, limitMs = 20_000): Promise<void> {
  const start = systemClock.monotonic()
  while (!(await done())) {
    if (systemClock.monotonic() - start > limitMs) throw new Error(`waited ${limitMs} ms for ${what}`)
    await systemClock.sleep(25)
  }
}
