import {ToolError} from '../../../src/errors.js'
import type {ActionContext} from '../../../src/agent/action-context.js'
import {Forwarding} from '../../../src/agent/forwarding.js'
import type {FileFacts, Files} from '../../../src/os/files.js'
import type {Argv, Run, RunOptions} from '../../../src/os/process.js'
import {layoutOf} from '../../../src/pair/layout.js'
import type {CleanStop} from '../../../src/pair/clean-stop.js'
import type {PairRecord} from '../../../src/pair/record.js'
import {specOf} from '../../support/pair-fixtures.js'
import {FakeClock, FakeSession} from './fake-vm.js'
import {Model} from './model.js'

/** Answers programs by their argv; `undefined` is an empty output. */
export type FakeRun = (argv: Argv, options: RunOptions) => string | undefined

/** A failed program, as the real `run` throws it. */
export function exitOf(argv: Argv, status: number, firstLine: string): ToolError {
  return new ToolError(argv, {kind: 'exit', status, firstLine})
}

/** Files in memory: a directory is an entry without text. */
export class FakeFiles implements Files {
  readonly texts = new Map<string, string | undefined>()
  readonly owners = new Map<string, readonly [uid: number, gid: number, mode: number]>()

  readText(path: string): Promise<string | undefined> {
    return Promise.resolve(this.texts.get(path))
  }
  writeAtomic(path: string, text: string): Promise<void> {
    this.texts.set(path, text)
    return Promise.resolve()
  }
  append(): Promise<void> {
    return Promise.reject(new Error('not used'))
  }
  makeDirectory(path: string): Promise<void> {
    if (!this.texts.has(path)) this.texts.set(path, undefined)
    return Promise.resolve()
  }
  list(): Promise<readonly string[]> {
    return Promise.resolve([...this.texts.keys()])
  }
  remove(path: string): Promise<void> {
    this.texts.delete(path)
    return Promise.resolve()
  }
  removeDirectory(path: string): Promise<void> {
    this.texts.delete(path)
    return Promise.resolve()
  }
  stat(path: string): Promise<FileFacts | undefined> {
    if (!this.texts.has(path)) return Promise.resolve(undefined)
    const [uid = 1000, gid = 1000, mode = 0o644] = this.owners.get(path) ?? []
    const sizeBytes = this.texts.get(path)?.length ?? 4096
    return Promise.resolve({inode: '7', device: '1', sizeBytes, modifiedNs: '9', uid, gid, mode})
  }
  availableBytes(): Promise<number | undefined> {
    return Promise.resolve(undefined)
  }
  changeOwner(path: string, {uid, gid, mode = 0o644}: {uid: number; gid: number; mode?: number}): Promise<void> {
    this.owners.set(path, [uid, gid, mode])
    return Promise.resolve()
  }
  writeText(path: string, text: string): Promise<void> {
    this.texts.set(path, text)
    return Promise.resolve()
  }
}

/** Everything an action sees, in memory. */
export function world(options: {readonly version?: {major: number; minor: number; micro: number}} = {}) {
  const clock = new FakeClock()
  const session = new FakeSession(clock, options.version)
  const yankSession = new FakeSession(clock, options.version)
  const model = new Model(session, clock)
  yankSession.on({
    'query-yank': () => model.yankable,
    yank: (args) => {
      const gone = JSON.stringify(args['instances'])
      model.yankable = model.yankable.filter((one) => !gone.includes(JSON.stringify(one)))
    },
  })
  const files = new FakeFiles()
  const ran: Argv[] = []
  const notes: string[] = []
  const calls: string[] = []
  const state = {
    record: undefined as PairRecord | undefined,
    checkpoints: 0,
    peerHow: 'equal' as CleanStop,
    answer: (() => undefined) as FakeRun,
  }
  const run: Run = async (argv, runOptions = {}) => {
    ran.push(argv)
    if (argv[0] === 'getent') throw exitOf(argv, 2, '')
    const stdout = await Promise.resolve(state.answer(argv, runOptions) ?? '')
    return {stdout, stderr: '', durationMs: 1}
  }
  const abort = new AbortController()
  const called = (name: string) => (): Promise<void> => {
    calls.push(name)
    return Promise.resolve()
  }
  const context: ActionContext = {
    pair: 'web1',
    layout: layoutOf(specOf()),
    run,
    files,
    clock,
    forwarding: new Forwarding({run, files, root: '/run/colo/forward'}),
    signal: abort.signal,
    report: (text, bytes) => notes.push(bytes === undefined ? text : `${text}: ${bytes.done} of ${bytes.total}`),
    record: {
      read: () => Promise.resolve(state.record),
      create: (record) => {
        state.record = record
        return Promise.resolve()
      },
      change: (change) => {
        if (state.record === undefined) return Promise.reject(new Error('no record'))
        state.record = {...state.record, ...change}
        return Promise.resolve(state.record)
      },
      remove: () => {
        state.record = undefined
        return Promise.resolve()
      },
    },
    vm: {
      qmp: () => Promise.resolve(session),
      withYank: (body) => body(yankSession),
      attach: called('attach'),
      release: called('release'),
      checkpoints: () => state.checkpoints,
      awaitCheckpoint: (after) => {
        calls.push(`awaitCheckpoint ${after}`)
        return Promise.resolve()
      },
      beginProtection: called('beginProtection'),
      endProtection: called('endProtection'),
      powerCut: () => {
        calls.push('powerCut')
      },
      stopped: () => {
        calls.push('stopped')
        if (state.record !== undefined) state.record = {...state.record, clean: true}
        return Promise.resolve('equal')
      },
      peerStopped: () => {
        calls.push('peerStopped')
        return Promise.resolve(state.peerHow)
      },
      followCommit: () => {
        calls.push('followCommit')
        return Promise.resolve()
      },
    },
  }
  return {abort, calls, clock, context, files, model, notes, ran, session, state, yankSession}
}

export type World = ReturnType<typeof world>
