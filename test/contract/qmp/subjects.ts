import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {systemClock} from '../../../src/os/clock.js'
import {run, type Argv} from '../../../src/os/process.js'
import {replyFixture} from '../../fixtures/qmp/fixtures.js'
import {FakeQmp, refusal, type Args, type FakeReply, type Handler} from '../../support/fake-qmp.js'
import type {T} from '../../support/suite.js'
import {temporaryDirectory} from '../../support/temporary-directory.js'

/** A QMP server under the contract: an empty machine, running. */
export interface Subject {
  readonly path: string
  /** as SIGSTOP and SIGCONT */
  pause(): void
  resume(): void
  /** as SIGKILL */
  kill(): void
}

/** The QEMU of this machine; a missing one fails the test. */
export const ownQemu: Argv = ['qemu-system-x86_64']

/** Modules of another build make QEMU abort at qom-list-types, so its own are put in their place, for it alone. */
const withOwnModules = 'mount --bind "$1/qemu" /usr/lib/x86_64-linux-gnu/qemu && shift && exec "$@"'

/** The newer QEMU in the root file system of `colo lab`, run by its own loader; undefined before the first `colo lab up`. */
export function labQemu(): Argv | undefined {
  const cache = '/var/cache/colo-lab'
  const roots = existsSync(cache) ? readdirSync(cache).filter((name) => name.startsWith('rootfs-')) : []
  for (const root of roots.map((name) => join(cache, name))) {
    const program = join(root, 'usr/bin/qemu-system-x86_64')
    const libraries = join(root, 'usr/lib/x86_64-linux-gnu')
    const loader = [join(root, 'lib64/ld-linux-x86-64.so.2'), '--library-path', `${libraries}:${libraries}/pulseaudio`]
    if (!existsSync(program)) continue
    return ['unshare', '--mount', 'sh', '-c', withOwnModules, 'sh', libraries, ...loader, program]
  }
  return undefined
}

/** Starts `-M none` of a QEMU. */
export async function startQemu(t: T, program: Argv): Promise<Subject> {
  const directory = temporaryDirectory(t, 'qmp')
  const path = join(directory, 'qmp.sock')
  const pidFile = join(directory, 'pid')
  const machine = ['-M', 'none', '-nodefaults', '-display', 'none', '-qmp', `unix:${path},server=on,wait=off`]
  const argv: Argv = [...program, ...machine, '-daemonize', '-pidfile', pidFile]
  await run(argv) // returns when the socket is there
  const pid = Number(readFileSync(pidFile, 'utf8'))
  const signal = (name: NodeJS.Signals): void => {
    try {
      process.kill(pid, name)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
  t.defer(() => {
    signal('SIGKILL')
  })
  return {
    path,
    pause: () => {
      signal('SIGSTOP')
    },
    resume: () => {
      signal('SIGCONT')
    },
    kill: () => {
      signal('SIGKILL')
    },
  }
}

/** Commands whose answer does not change while the contract runs: as captured. */
const replayed: ReadonlyArray<readonly [string, string]> = [
  ['query-version', 'none'],
  ['query-colo-status', 'none'],
  ['query-commands', 'none'],
  ['qom-list-types', 'netfilter'],
  ['query-qmp-schema', 'trimmed'],
  ['query-migrate', 'never'],
  ['query-yank', 'none'],
]

/** The fake, with captures of 11.1.3 and just enough state to be taken for an empty machine. */
export async function startFake(t: T): Promise<Subject> {
  const version = {major: 11, minor: 1, micro: 3}
  const fake = await FakeQmp.start(t, {version, package: 'Debian 1:11.1.3+ds-1~bpo13+1'})
  for (const [command, title] of replayed) {
    const {reply} = replyFixture(command, title)
    fake.on(command, () => reply)
  }
  const handlers: Record<string, Handler> = {...runState(fake), ...objects(), ...chardevs(), ...nbdServer()}
  for (const [command, handler] of Object.entries(handlers)) fake.on(command, handler)
  fake.answer('blockdev-add', {})
  fake.on('human-monitor-command', async (args) => {
    const [, ms = '0'] = /"sleep (\d+)"/.exec(textOf(args, 'command-line')) ?? []
    await systemClock.sleep(Number(ms))
    return {return: ''}
  })
  fake.on('quit', () => {
    setImmediate(() => {
      fake.emit('SHUTDOWN', {guest: false, reason: 'host-qmp-quit'})
      fake.close()
    })
    return {return: {}}
  })
  return {
    path: fake.path,
    pause: () => {
      fake.freeze()
    },
    resume: () => {
      fake.thaw()
    },
    kill: () => {
      fake.die()
    },
  }
}

const done: FakeReply = {return: {}}

function runState(fake: FakeQmp): Record<string, Handler> {
  let running = true
  const become = (wanted: boolean): FakeReply => {
    if (wanted !== running) fake.emit(wanted ? 'RESUME' : 'STOP')
    running = wanted
    return done
  }
  return {
    'query-status': () => ({return: {status: running ? 'running' : 'paused', running}}),
    stop: () => become(false),
    cont: () => become(true),
  }
}

function objects(): Record<string, Handler> {
  const types = new Map<string, string>()
  return {
    'object-add': (args) => {
      const id = textOf(args, 'id')
      if (types.has(id)) return refusal('GenericError', `attempt to add duplicate property '${id}' to object`)
      types.set(id, textOf(args, 'qom-type'))
      return done
    },
    'object-del': (args) => {
      const id = textOf(args, 'id')
      return types.delete(id) ? done : refusal('GenericError', `object '${id}' not found`)
    },
    'qom-list': () => ({
      return: [{name: 'type', type: 'string'}, ...[...types].map(([name, type]) => ({name, type: `child<${type}>`}))],
    }),
  }
}

function chardevs(): Record<string, Handler> {
  const labels = new Map<string, string>()
  return {
    'chardev-add': (args) => {
      const {data} = args['backend'] as {data: {addr: {data: {path: string}}}}
      labels.set(textOf(args, 'id'), `disconnected:unix:${data.addr.data.path},server=on`)
      return done
    },
    'chardev-remove': (args) => {
      const id = textOf(args, 'id')
      return labels.delete(id) ? done : refusal('GenericError', `Chardev '${id}' not found`)
    },
    'query-chardev': () => ({
      return: [...labels].map(([label, filename]) => ({'frontend-open': false, filename, label})),
    }),
  }
}

function nbdServer(): Record<string, Handler> {
  let running = false
  return {
    'nbd-server-start': () => {
      if (running) return refusal('GenericError', 'NBD server already running')
      running = true
      return done
    },
    'nbd-server-stop': () => {
      if (!running) return refusal('GenericError', 'NBD server not running')
      running = false
      return done
    },
  }
}

function textOf(args: Args, name: string): string {
  return args[name] as string
}
