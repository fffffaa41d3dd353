import {spawn, type ChildProcessWithoutNullStreams} from 'node:child_process'
import {once} from 'node:events'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {execIn, labUp, namespaces, type LabHost} from '../../src/lab/index.js'
export {openStream, type StreamSummary} from '../../src/lab/stream.js'
import {run} from '../../src/os/process.js'
import type {PairStatus} from '../../src/pair/status.js'

/** Everything lab tests do to `colo` goes through its real command line, as an operator would. */

const root = fileURLToPath(new URL('../..', import.meta.url))
const labEnv = {COLO_HOSTS: '/run/colo-lab/hosts.yaml', COLO_SSH_CONFIG: '/run/colo-lab/ssh/config'}

export interface ColoResult {
  readonly exit: number
  /** the one document of `--json` */
  readonly json: Record<string, unknown>
  readonly stderr: string
}

/** Runs `colo ARGS --json`; a document that is not valid JSON fails the test. */
export async function colo(...args: readonly string[]): Promise<ColoResult> {
  const {exit, stdout, stderr} = await coloText([...args, '--json'])
  try {
    return {exit, json: JSON.parse(stdout) as Record<string, unknown>, stderr}
  } catch {
    throw new Error(
      `colo ${args.join(' ')}: exit ${exit}, no JSON on stdout: ${stdout.slice(0, 400)}; stderr: ${stderr.slice(-800)}`,
    )
  }
}

/** Like {@link colo}, and the exit status must be 0. */
export async function coloOk(...args: readonly string[]): Promise<Record<string, unknown>> {
  const {exit, json, stderr} = await colo(...args)
  if (exit !== 0) throw new Error(`colo ${args.join(' ')}: exit ${exit}: ${JSON.stringify(json)} ${stderr.slice(-800)}`)
  return json
}

/** A running `colo`, for what happens in the middle of it. */
function coloProcess(...args: readonly string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [join(root, 'bin/run.js'), ...args], {
    env: {...process.env, ...labEnv, NO_COLOR: '1'},
    stdio: ['pipe', 'pipe', 'pipe'],
  })
}

export async function coloText(
  args: readonly string[],
  options: {readonly input?: string} = {},
): Promise<{exit: number; stdout: string; stderr: string}> {
  const child = coloProcess(...args)
  child.stdin.end(options.input ?? '')
  const out: string[] = []
  const err: string[] = []
  child.stdout.setEncoding('utf8').on('data', (text: string) => out.push(text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => err.push(text))
  const [code] = (await once(child, 'close')) as [number | null]
  return {exit: code ?? -1, stdout: out.join(''), stderr: err.join('')}
}

/** Starts `colo ARGS` and lets it run; `interrupt` is Ctrl-C. */
export function startColo(args: readonly string[]): {readonly exit: Promise<number>; interrupt: () => void} {
  const child = spawn(process.execPath, [join(root, 'bin/run.js'), ...args], {
    env: {...process.env, ...labEnv, NO_COLOR: '1'},
    stdio: 'ignore',
  })
  const exit = once(child, 'close').then(([code]) => (code as number | null) ?? -1)
  return {exit, interrupt: () => child.kill('SIGINT')}
}

export async function statusOf(pair: string): Promise<PairStatus & {exit: number}> {
  const {json, exit} = await colo('pair', 'status', pair)
  return {...(json as unknown as PairStatus), exit}
}

export interface GuestSpec {
  readonly name: string
  readonly model: 'virtio' | 'e1000'
  readonly nics: 1 | 2
  readonly disks: 1 | 2
  /** last byte of the guest's addresses */
  readonly byte?: number
  readonly primary?: LabHost
  readonly secondary?: LabHost
  readonly interval?: string
  readonly uncompared?: 'drop' | 'pass'
  readonly resync?: 'auto' | 'manual'
  /** what follows when the guest ends; the pair file says nothing of what is not given */
  readonly ends?: Partial<Record<'onPoweroff' | 'onReboot' | 'onCrash', 'stop' | 'restart' | 'report'>>
  /** seconds until the guest's kernel resets the machine after its panic; 0: never, 1 unless told */
  readonly panic?: number
  /** kernel forwarding on fwd0, fwd1 instead of sockets */
  readonly forward?: 'tc'
}

/**
 * A pair file for the lab's tiny guest, as a person would write it. `tsc=reliable`: a guest that finds its clock source unstable rewrites
 * its own kernel code, which stale translated code of a TCG secondary does not survive (docs/decisions/0016).
 */
export function pairFile(guest: GuestSpec): string {
  const byte = guest.byte ?? 10
  const nics = [0, 1].slice(0, guest.nics)
  const disks = [0, 1].slice(0, guest.disks)
  const addresses = nics
    .map((n) => `colo.ip${n}=10.7${7 + n}.0.${byte}/24 colo.ip6${n}=fd7${7 + n}::${byte}/64`)
    .join(' ')
  return `apiVersion: colo/v1
kind: Pair
name: ${guest.name}
hosts: {primary: ${guest.primary ?? 'alpha'}, secondary: ${guest.secondary ?? 'beta'}}
vm:
  memory: 128MiB
  vcpus: 1
  kernel:
    image: /var/lib/colo/guest/vmlinuz
    initrd: /var/lib/colo/guest/initrd.img
    cmdline: console=ttyS0 quiet panic=${guest.panic ?? 1} tsc=reliable ${addresses}${endsOf(guest)}
disks:
${disks.map((n) => `  - {name: disk${n}, image: /var/lib/colo/images/${guest.name}-${n}.qcow2, format: qcow2, size: 64MiB, bus: virtio}`).join('\n')}
nics:
${nics
  .map(
    (n) =>
      `  - {name: net${n}, mac: '52:54:00:77:0${n}:${byte.toString(16).padStart(2, '0')}', model: ${guest.model}, bridge: br${n}, uncompared: ${guest.uncompared ?? 'drop'}${forwardOf(guest, n)}}`,
  )
  .join('\n')}
checkpoint: {interval: ${guest.interval ?? '1s'}, compareTimeout: 3s}
resync: ${guest.resync ?? 'auto'}
`
}

function endsOf({ends = {}}: GuestSpec): string {
  return Object.entries(ends)
    .map(([key, action]) => `\n  ${key}: ${action}`)
    .join('')
}

function forwardOf(guest: GuestSpec, n: number): string {
  return guest.forward === undefined ? '' : `, forward: {via: ${guest.forward}, nic: fwd${n}}`
}

/** Writes a pair file into a directory of its own. */
export async function writePairFile(guest: GuestSpec): Promise<{path: string; remove: () => Promise<void>}> {
  const directory = await mkdtemp(join(tmpdir(), 'colo-test-'))
  const path = join(directory, `${guest.name}.yaml`)
  await writeFile(path, pairFile(guest))
  return {path, remove: () => rm(directory, {recursive: true, force: true})}
}

let ready: Promise<unknown> | undefined

/** The lab is brought up, or put right, once per run. */
export function labReady(): Promise<unknown> {
  return (ready ??= labUp())
}

/** Blank images on the primary, then `pair create`; removed again by {@link removePair}. */
export async function createPair(guest: GuestSpec): Promise<Record<string, unknown>> {
  await labReady()
  const file = await writePairFile(guest)
  try {
    await freshImages(guest, file.path)
    return await coloOk('pair', 'create', '-f', file.path, '--yes')
  } finally {
    await file.remove()
  }
}

/** Blank images on the primary, none on the secondary, and no pair. */
export async function freshImages(guest: GuestSpec, file: string): Promise<void> {
  await removePair(guest.name)
  await coloOk('disk', 'prepare', '-f', file)
  for (let n = 0; n < guest.disks; n++) {
    await execIn(guest.secondary ?? 'beta', ['rm', '-f', `/var/lib/colo/images/${guest.name}-${n}.qcow2`])
  }
}

/** Ends the pair wherever it is and removes its images; fine when there is none. */
export async function removePair(name: string): Promise<void> {
  await colo('pair', 'destroy', name, '--yes', '--delete-copies', '--force', 'peer-unknown', '--force', 'committing')
  for (const host of ['alpha', 'beta', 'gamma'] as const) {
    await execIn(host, [
      'sh',
      '-c',
      `virsh destroy ${name} >/dev/null 2>&1; rm -rf /var/lib/colo/pairs/${name} /var/lib/colo/images/${name}-*`,
    ]).catch(() => undefined)
  }
}

/** Answer of the guest's HTTP server, seen from the client's namespace. @throws when there is none in time */
export async function http(
  path: string,
  options: {readonly address?: string; readonly timeoutMs?: number} = {},
): Promise<string> {
  const address = options.address ?? '10.77.0.10'
  const seconds = Math.ceil((options.timeoutMs ?? 10_000) / 1000)
  const {stdout} = await run(
    [
      'ip',
      'netns',
      'exec',
      namespaces.client,
      'curl',
      '-gsS',
      '--max-time',
      String(seconds),
      `http://${address}${path}`,
    ],
    {timeoutMs: (options.timeoutMs ?? 10_000) + 2000},
  )
  return stdout.trim()
}

/** Settles when the guest answers; bounded. On a busy machine an answer may take seconds: each try waits a little longer. */
export async function guestAnswers(address = '10.77.0.10', limitMs = 120_000): Promise<void> {
  const until = performance.now() + limitMs
  for (let tryMs = 1000; ; tryMs = Math.min(tryMs + 500, 5000)) {
    try {
      await http('/', {address, timeoutMs: tryMs})
      return
    } catch (error) {
      if (performance.now() > until) throw new Error(`${String(error)}; ${await serialLogs()}`, {cause: error})
    }
  }
}

/** The last lines of every guest's serial log, for a report on failure. */
async function serialLogs(): Promise<string> {
  const logs = await Promise.all(
    (['alpha', 'beta'] as const).map(async (host) => {
      const tail = `for f in /var/log/libvirt/qemu/*-serial.log; do echo "$f:"; grep -m 8 -E 'BUG|Oops|int3|RIP|Comm:|Call Trace' "$f"; tail -n 3 "$f"; done; ip -br link; uptime`
      const {stdout} = await execIn(host, ['sh', '-c', tail]).catch(() => ({stdout: 'no answer'}))
      return `${host}: ${stdout}`
    }),
  )
  return logs.join('\n')
}

/** Writes a sector through the guest (fsynced) or reads one; values are short words. */
export const disk = {
  write: (n: number, sector: number, value: string, address?: string) =>
    http(`/write?disk=${n}&sector=${sector}&value=${value}`, address === undefined ? {} : {address}),
  read: (n: number, sector: number, address?: string) =>
    http(`/read?disk=${n}&sector=${sector}`, address === undefined ? {} : {address}),
}

/** Frames that came from one host onto a LAN, captured at its port of the LAN's bridge. */
export async function capture(host: LabHost, filter: string, lan: 0 | 1 = 0): Promise<{stop: () => Promise<string[]>}> {
  const child = spawn(
    'ip',
    [
      'netns',
      'exec',
      namespaces.lan,
      'tcpdump',
      '-nn',
      '-e',
      '-l',
      '-Q',
      'in',
      '-i',
      `${host}${lan}`,
      ...filter.split(' '),
    ],
    {stdio: ['ignore', 'pipe', 'pipe']},
  )
  const frames: string[] = []
  child.stdout.setEncoding('utf8').on('data', (text: string) => frames.push(text))
  await once(child.stderr, 'data')
  return {
    stop: async () => {
      child.kill('SIGINT')
      await once(child, 'close')
      return frames
        .join('')
        .split('\n')
        .filter((line) => line !== '')
    },
  }
}
