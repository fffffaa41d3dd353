import {readFile} from 'node:fs/promises'
import {release} from 'node:os'
import {TimedOutError, ToolError} from '../errors.js'
import type {Clock} from '../os/clock.js'
import type {Files} from '../os/files.js'
import type {Run} from '../os/process.js'
import type {PairPorts, PairRecord} from '../pair/record.js'
import {armDeadline} from '../qmp/deadline.js'
import type {HostFacts, ProbeProblem} from './facts.js'
import {loopFiles, probeImage} from './probe/images.js'
import {probeKvm} from './probe/kvm.js'
import {probeForwarding} from './probe/forwarding.js'
import {ipArgv, noLinks, parseIpAddr} from './probe/links.js'
import {parseCpuinfo, parseListening, parseMeminfo} from './probe/proc.js'
import {probeQemu} from './probe/qemu.js'
import {probeLibvirt, probeNftNetdev, probeTools} from './probe/services.js'
import {probeDirectory} from './probe/storage.js'
import {probeXen} from './probe/xen.js'
import {memoryNeeded} from './rules/resources.js'
import {neededTools} from './rules/services.js'

/** Limit of each probe; they run side by side. Longer than the longest one's own. More time is used but for what the answer takes. */
const PROBE_MS = 26_000
const RESERVE_MS = 4000
const DEFAULT_SCRATCH = '/run/colo/scratch'

/** Words of `want`; `none` is not a probe and gives the clock alone. */
export const probes = [
  'qemu',
  'kvm',
  'libvirt',
  'cpu',
  'memory',
  'links',
  'ports',
  'scratch',
  'images',
  'tools',
  'nft',
  'xen',
  'forwarding',
] as const
export type Probe = (typeof probes)[number]

export interface FactsRequest {
  readonly host: string
  /** words of `probes`; all without it. What is not wanted stands at its neutral value */
  readonly want?: readonly string[]
  readonly images?: readonly string[]
  /** how long whoever asks waits, when that is longer than usual */
  readonly withinMs?: number
  readonly scratch?: string
}

export interface FactsDependencies {
  readonly run: Run
  readonly files: Files
  readonly clock: Clock
  /** of the pairs on this host */
  readonly records: readonly PairRecord[]
}

/**
 * Finds out about the host it runs on. Settles within some 27 s, or `withinMs`, and never rejects: a probe that fails or takes too long
 * leaves its neutral value, and a line in `problems`.
 */
export async function collectHostFacts(request: FactsRequest, deps: FactsDependencies): Promise<HostFacts> {
  const {run, files, clock, records} = deps
  const problems: ProbeProblem[] = []
  const limitMs = Math.max(PROBE_MS, (request.withinMs ?? 0) - RESERVE_MS)
  const probe = async <V>(name: Probe, neutral: V, body: () => Promise<V>): Promise<V> => {
    if (request.want !== undefined && !request.want.includes(name)) return neutral
    try {
      return await limited(body, limitMs)
    } catch (error) {
      problems.push({probe: name, message: firstLine(error), ...(isTimeout(error) ? {timedOut: true} : {})})
      return neutral
    }
  }
  const mounts = once(async () => (await files.readText('/proc/mounts')) ?? '')
  const qemu = probe('qemu', undefined, () => probeQemu(run, files))
  const linksSeen = probe('links', noLinks, async () => parseIpAddr((await run(ipArgv)).stdout))
  const scratch = request.scratch ?? DEFAULT_SCRATCH
  const [
    agentVersion,
    qemuFacts,
    kvm,
    libvirt,
    cpu,
    memory,
    links,
    listening,
    scratchFacts,
    images,
    tools,
    nftNetdev,
    xen,
    forwarding,
  ] = await Promise.all([
    ownVersion(),
    qemu,
    probe('kvm', 'absent' as const, async () => probeKvm(run, (await qemu)?.binary)),
    probe('libvirt', {libvirt: {problem: 'not asked'}, domains: []}, () => probeLibvirt(run)),
    probe('cpu', {model: '', count: 0}, async () => parseCpuinfo(await text(files, '/proc/cpuinfo'))),
    probe('memory', {totalBytes: 0, availableBytes: 0}, async () => parseMeminfo(await text(files, '/proc/meminfo'))),
    linksSeen,
    probe('ports', [], () => listeningPorts(files)),
    probe('scratch', {path: scratch, exists: false, memoryBacked: false, availableBytes: 0}, async () =>
      probeDirectory(scratch, await mounts()),
    ),
    probe('images', [], async () => probeImages(request.images ?? [], {run, files, mounts: await mounts()})),
    probe('tools', {}, () => probeTools(files, Object.keys(neededTools))),
    probe('nft', false, () => probeNftNetdev(run)),
    probe('xen', undefined, () => probeXen(run, files, limitMs)),
    probe('forwarding', undefined, async () => probeForwarding(deps, (await linksSeen).links)),
  ])
  return {
    host: request.host,
    agentVersion,
    kernel: release(),
    qemu: qemuFacts,
    ...libvirt,
    cpu,
    memory,
    kvm,
    ...links,
    scratch: scratchFacts,
    listening,
    allotted: records.map((record) => ({pair: record.spec.name, ports: portsOf(record.ports)})),
    committedMemoryBytes: records.reduce((sum, {role, spec}) => sum + memoryNeeded(role, spec.vm.memoryBytes), 0),
    images,
    tools,
    nftNetdev,
    ...(xen === undefined ? {} : {xen}),
    ...(forwarding === undefined ? {} : {forwarding}),
    ...(problems.length > 0 ? {problems} : {}),
    atMs: clock.now(),
  }
}

async function probeImages(
  paths: readonly string[],
  {run, files, mounts}: {readonly run: Run; readonly files: Files; readonly mounts: string},
): Promise<HostFacts['images']> {
  if (paths.length === 0) return []
  const loops = await loopFiles(files)
  return Promise.all(paths.map((path) => probeImage(path, {run, mounts, loops})))
}

async function listeningPorts(files: Files): Promise<number[]> {
  return parseListening(await text(files, '/proc/net/tcp'), (await files.readText('/proc/net/tcp6')) ?? '')
}

function portsOf({migration, nbd, nics, xen}: PairPorts): number[] {
  return [migration, nbd, ...nics.flatMap(({mirror, compare}) => [mirror, compare]), ...Object.values(xen ?? {})]
}

async function text(files: Files, path: string): Promise<string> {
  const content = await files.readText(path)
  if (content === undefined) throw new Error(`${path} does not exist`)
  return content
}

function limited<V>(body: () => Promise<V>, timeoutMs: number): Promise<V> {
  return new Promise((resolve, reject) => {
    const disarm = armDeadline({timeoutMs}, () => {
      reject(new TimedOutError(`no answer within ${timeoutMs / 1000} s`, timeoutMs))
    })
    body().then(resolve, reject).finally(disarm)
  })
}

function isTimeout(error: unknown): boolean {
  return error instanceof TimedOutError || (error instanceof ToolError && error.failure.kind === 'timed-out')
}

function once<V>(make: () => Promise<V>): () => Promise<V> {
  let made: Promise<V> | undefined
  return () => (made ??= make())
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''
}

let version: Promise<string> | undefined

/** Of package.json, from the sources as well as from dist/; read once, so that an upgrade under a running agent shows. */
function ownVersion(): Promise<string> {
  version ??= (async () => {
    for (const up of ['../..', '../../..']) {
      const content = await readFile(new URL(`${up}/package.json`, import.meta.url), 'utf8').catch(() => undefined)
      if (content !== undefined) return (JSON.parse(content) as {version: string}).version
    }
    return 'unknown'
  })()
  return version
}
