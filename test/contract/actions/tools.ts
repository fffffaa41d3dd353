import {Forwarding} from '../../../src/agent/forwarding.js'
import {existsSync, readdirSync} from 'node:fs'
import {join} from 'node:path'
import type {ActionContext} from '../../../src/agent/action-context.js'
import {systemClock} from '../../../src/os/clock.js'
import {nodeFiles} from '../../../src/os/files-node.js'
import {run, type Argv, type Run} from '../../../src/os/process.js'
import {layoutOf} from '../../../src/pair/layout.js'
import {connectQmp, type QmpSession} from '../../../src/qmp/session.js'
import {specOf} from '../../support/pair-fixtures.js'
import type {T} from '../../support/suite.js'
import {temporaryDirectory} from '../../support/temporary-directory.js'

/** Where programs of one QEMU build are found. */
export interface Build {
  readonly name: string
  /** the program with the arguments it is run by */
  program(name: string): Argv
}

/** The QEMU of this machine; a missing one fails the test. */
const own: Build = {name: 'own QEMU', program: (name) => [name]}

/** The newer QEMU in the root file system of `colo lab`, run by its own loader; undefined before the first `colo lab up`. */
function labBuild(): Build | undefined {
  const cache = '/var/cache/colo-lab'
  const names = existsSync(cache) ? readdirSync(cache).filter((name) => name.startsWith('rootfs-')) : []
  const root = names.map((name) => join(cache, name)).find((path) => existsSync(join(path, 'usr/bin/qemu-img')))
  if (root === undefined) return undefined
  const libraries = join(root, 'usr/lib/x86_64-linux-gnu')
  const loader = [join(root, 'lib64/ld-linux-x86-64.so.2'), '--library-path', `${libraries}:${libraries}/pulseaudio`]
  // modules of the other build would be refused, so its own are put in their place, for it alone
  const script = 'mount --bind "$1/qemu" /usr/lib/x86_64-linux-gnu/qemu && shift && exec "$@"'
  return {
    name: 'QEMU of the lab',
    program: (name) => [
      'unshare',
      '--mount',
      'sh',
      '-c',
      script,
      'sh',
      libraries,
      ...loader,
      join(root, 'usr/bin', name),
    ],
  }
}

export const builds: readonly Build[] = [own, labBuild()].filter((build) => build !== undefined)

/** A `Run` whose first word is looked up in a build. */
export function runWith(build: Build): Run {
  return ([program, ...args], options) => run([...build.program(program), ...args], options)
}

/** Starts `-M none` of a build and connects; the first is answered by `qmp`, out of band by `yank`. */
export async function startQemu(
  t: T,
  build: Build,
  args: readonly string[] = [],
): Promise<{agent: string; yank: string}> {
  const directory = temporaryDirectory(t, 'actions')
  const sockets = {agent: join(directory, 'agent.qmp'), yank: join(directory, 'yank.qmp')}
  const pidFile = join(directory, 'pid')
  const machine = ['-M', 'none', '-nodefaults', '-display', 'none', '-daemonize', '-pidfile', pidFile]
  const monitors = Object.values(sockets).flatMap((path) => ['-qmp', `unix:${path},server=on,wait=off`])
  await run([...build.program('qemu-system-x86_64'), ...machine, ...monitors, ...args])
  const pid = Number(await nodeFiles.readText(pidFile))
  t.defer(() => {
    process.kill(pid, 'SIGKILL')
  })
  return sockets
}

/** What an action sees: the real files, clock and programs, and one QEMU when there is one. */
export async function contextOf(
  t: T,
  build: Build,
  sockets?: {readonly agent: string; readonly yank: string},
): Promise<ActionContext & {readonly qmp: QmpSession; readonly notes: string[]}> {
  const notes: string[] = []
  const qmp = sockets === undefined ? noQemu : await connectQmp({path: sockets.agent})
  t.defer(() => {
    qmp.close()
  })
  const settled = (): Promise<void> => Promise.resolve()
  return {
    pair: 'web1',
    layout: layoutOf(specOf()),
    run: runWith(build),
    files: nodeFiles,
    clock: systemClock,
    forwarding: new Forwarding({run: runWith(build), files: nodeFiles, root: '/run/colo-contract/forward'}),
    signal: t.signal,
    report: (text) => notes.push(text),
    record: {
      read: () => Promise.resolve(undefined),
      create: settled,
      change: () => Promise.reject(new Error('no record')),
      remove: settled,
    },
    vm: {
      qmp: () => Promise.resolve(qmp),
      withYank: async (body) => {
        const session = await connectQmp({path: sockets?.yank ?? '', oob: true})
        try {
          return await body(session)
        } finally {
          session.close()
        }
      },
      attach: settled,
      release: settled,
      checkpoints: () => 0,
      awaitCheckpoint: settled,
      beginProtection: settled,
      endProtection: settled,
      powerCut: () => undefined,
      stopped: () => Promise.resolve('only'),
      peerStopped: () => Promise.resolve('only'),
      followCommit: settled,
    },
    qmp,
    notes,
  }
}

const noQemu: QmpSession = {
  greeting: {version: {major: 0, minor: 0, micro: 0, package: ''}, capabilities: []},
  execute: () => Promise.reject(new Error('no QEMU in this test')),
  listen: () => {
    throw new Error('no QEMU in this test')
  },
  onEvent: () => () => undefined,
  closed: new Promise(() => undefined),
  close: () => undefined,
}
