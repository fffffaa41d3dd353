import {DecodeError} from '../../errors.js'
import type {Argv, Run} from '../../os/process.js'
import type {Files} from '../../os/files.js'
import {QmpCommandError} from '../../qmp/errors.js'
import type {QmpExecutor} from '../../qmp/commands/call.js'
import {call} from '../../qmp/commands/call.js'
import {qomListTypes, queryBlockDrivers, queryCommands, queryVersion} from '../../qmp/commands/introspection.js'
import {field, listOf, record, text} from '../../qmp/decode.js'
import type {QemuFacts} from '../facts.js'

/** Where distributions put the emulator. */
const binaries = ['/usr/bin/qemu-system-x86_64', '/usr/local/bin/qemu-system-x86_64', '/usr/libexec/qemu-kvm'] as const

/** A quarter of a second on an idle host; much longer where guests under TCG have all its cores. */
const PROBE_MS = 20_000
const PROBE_TRIES = 4

/** Answers by binary, kept while the file is the same one: a package update makes another inode. */
const known = new Map<string, QemuFacts>()

/**
 * What this host's QEMU can do, asked of a throw-away process without machine, guest or devices.
 *
 * @returns undefined when none is installed
 * @throws {ToolError} when it does not run, {DecodeError} when an answer is missing
 */
export async function probeQemu(run: Run, files: Files): Promise<QemuFacts | undefined> {
  return probeQemuAmong(binaries, run, files)
}

/** As `probeQemu`, for the first of these that is installed. */
export async function probeQemuAmong(
  candidates: readonly string[],
  run: Run,
  files: Files,
  timeoutMs = PROBE_MS,
): Promise<QemuFacts | undefined> {
  for (const binary of candidates) {
    const file = await files.stat(binary)
    if (file === undefined) continue
    const key = `${binary} ${file.device} ${file.inode} ${file.sizeBytes}`
    const facts = known.get(key) ?? (await askQemu(run, binary, timeoutMs))
    known.set(key, facts)
    return facts
  }
  return undefined
}

/**
 * QEMU does not wait until its answers are read: those that do not fit into the pipe when it quits are lost, which happens when the
 * reader gets no processor meanwhile.
 */
async function askQemu(run: Run, binary: string, timeoutMs: number): Promise<QemuFacts> {
  for (let tries = 1; ; tries++) {
    const {stdout} = await run(qemuProbeArgv(binary), {timeoutMs, input: qemuProbeInput()})
    try {
      return await readQemuProbe(binary, stdout)
    } catch (error) {
      if (!(error instanceof DecodeError) || tries === PROBE_TRIES) throw error
    }
  }
}

export function qemuProbeArgv(binary: string): Argv {
  // a build for Xen alone has no accelerator of its own
  const accel = /xen/.test(binary) ? ['-accel', 'qtest'] : []
  return [binary, '-no-user-config', '-nodefaults', '-M', 'none', ...accel, '-display', 'none', '-qmp', 'stdio']
}

const questions: ReadonlyArray<{readonly execute: string; readonly arguments?: unknown}> = [
  {execute: 'qmp_capabilities'},
  {execute: 'query-version'},
  {execute: 'query-commands'},
  {execute: 'qom-list-types'},
  {execute: 'query-machines'},
  {execute: 'query-qmp-schema'},
  {execute: 'migrate-set-capabilities', arguments: {capabilities: [{capability: 'x-colo', state: true}]}},
  {execute: 'quit'},
]

/** All commands at once; QEMU answers them in order and ends. The id of each is its name. */
export function qemuProbeInput(): string {
  return questions.map((question) => `${JSON.stringify({...question, id: question.execute})}\n`).join('')
}

const machine = record<{name: string}>({name: field('name', text)})

/**
 * Reads what the throw-away QEMU printed.
 *
 * @throws {DecodeError} when it is not QMP or an answer is missing
 * @see facts/qemu-colo.md 10.1: what the answer to x-colo means
 */
export async function readQemuProbe(binary: string, stdout: string): Promise<QemuFacts> {
  const qmp = replayed(stdout)
  const {major, minor, micro} = await queryVersion(qmp)
  const machines = await call(qmp, {name: 'query-machines', returns: listOf(machine)})
  const colo = await qmp.execute('migrate-set-capabilities').then(
    () => 'accepted',
    (error: unknown) => {
      if (error instanceof QmpCommandError) return error.desc
      throw error
    },
  )
  return {
    binary,
    version: `${major}.${minor}.${micro}`,
    machines: machines.map(({name}) => name),
    commands: await queryCommands(qmp),
    objectTypes: await qomListTypes(qmp),
    blockDrivers: await queryBlockDrivers(qmp),
    coloAccepted: colo === 'accepted',
    coloNeedsReturnPath: colo.includes('return-path'),
  }
}

/** A session whose replies are all there already. */
function replayed(stdout: string): QmpExecutor {
  const replies = new Map<string, Record<string, unknown>>()
  for (const line of stdout.split('\n')) {
    if (line.trim() === '') continue
    const reply = parseLine(line)
    if (typeof reply['id'] === 'string') replies.set(reply['id'], reply)
  }
  return {
    execute(command, args) {
      const reply = replies.get(command)
      if (reply === undefined)
        return Promise.reject(new DecodeError({source: 'qemu', path: command, expected: 'answered'}))
      if ('return' in reply) return Promise.resolve(reply['return'])
      const {class: name, desc} = reply['error'] as {class?: unknown; desc?: unknown}
      const said = {class: String(name), desc: String(desc)}
      return Promise.reject(new QmpCommandError('stdio', {command, arguments: args}, said))
    },
  }
}

function parseLine(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch (cause) {
    throw new DecodeError({source: 'qemu', path: 'line', expected: 'JSON'}, {cause})
  }
}
