import {readFile} from 'node:fs/promises'
import {fileURLToPath} from 'node:url'
import {argvIn, execIn, faults, namespaces} from '../../src/lab/index.js'
import {startChild} from '../../src/os/child.js'
import {coloOk, guestAnswers, removePair, writePairFile, type GuestSpec} from '../support/lab.js'
import {BareScript, type BareHosts} from './bare-script.js'
import type {Period} from './client.js'
import {timed} from './harness.js'

/** What happened to one pair from its making to its failover, by `colo` or by the bare script. */
export interface Life {
  readonly createMs: number
  /** from the command's start, right after the primary's QEMU was killed, to its end */
  readonly failoverMs: number
  /** in the agents: from the first step's start to the end of the promotion; not known of the bare script */
  readonly agentsMs: number | undefined
  /** three quiet seconds before */
  readonly before: Period
  /** from the kill to three seconds after the failover */
  readonly across: Period
}

export interface Cycles {
  readonly colo: readonly Life[]
  readonly bare: readonly Life[]
}

const guest: GuestSpec = {name: 'bench', model: 'virtio', nics: 1, disks: 1}
const address = '10.77.0.10'
const quietMs = 3000
const rounds = 6
/** no new round begins after it */
const budgetMs = 150_000

let made: Promise<Cycles> | undefined

/** Pairs made and failed over in turns by `colo` and by the bare script; the benchmarks of one run share them. */
export function cycles(): Promise<Cycles> {
  made ??= run()
  return made
}

async function run(): Promise<Cycles> {
  const file = await writePairFile(guest)
  const lives = {colo: [] as Life[], bare: [] as Life[]}
  const start = performance.now()
  try {
    await removePair(guest.name)
    await blankImages()
    const texts = await dryRuns(file.path)
    await removePair(guest.name)
    for (let round = 0; round < rounds && performance.now() - start < budgetMs; round++) {
      lives.colo.push(await coloLife(file.path))
      lives.bare.push(await bareLife(texts))
    }
    return lives
  } finally {
    await removePair(guest.name)
    await file.remove()
  }
}

async function coloLife(file: string): Promise<Life> {
  await blankImages()
  try {
    const {ms: createMs} = await timed(() => coloOk(...createArgs(file)))
    return {
      createMs,
      ...(await failOver(async () => agentsMs(await coloOk('pair', 'failover', guest.name, '--yes')))),
    }
  } finally {
    await removePair(guest.name)
  }
}

async function bareLife({create, failover, hosts}: Texts): Promise<Life> {
  await blankImages()
  const script = new BareScript({...hosts, inits: await inits()})
  try {
    const {ms: createMs} = await timed(() => script.run(create))
    const promotion = (step: string): boolean => step === 'beta/promote'
    return {
      createMs,
      ...(await failOver(async () => {
        await script.run(failover, promotion)
        return undefined
      })),
    }
  } finally {
    script.close()
    await removeBare()
  }
}

/** A client looks on while the primary's QEMU is killed and the secondary takes over. */
async function failOver(takeOver: () => Promise<number | undefined>): Promise<Omit<Life, 'createMs'>> {
  await guestAnswers(address)
  const program = fileURLToPath(new URL('client.ts', import.meta.url))
  const node = [process.execPath, '--import', 'tsx', program, address] as const
  const client = await startChild(['ip', 'netns', 'exec', namespaces.client, ...node])
  try {
    await client.nextLine(20_000)
    client.write('mark\n') // the program's own start
    await pause(quietMs)
    client.write('mark\n')
    await faults.signalQemu('kill', {host: 'alpha', pair: guest.name})
    const {result, ms} = await timed(takeOver)
    await pause(quietMs)
    client.write('stop\n')
    const [, before, across] = JSON.parse(await client.nextLine(10_000)) as Period[]
    if (before === undefined || across === undefined) throw new Error('the client saw fewer periods')
    return {failoverMs: ms, agentsMs: result, before, across}
  } finally {
    await client.end()
  }
}

interface Texts {
  readonly create: string
  readonly failover: string
  readonly hosts: Omit<BareHosts, 'inits'>
}

/** The commands of both operations, as `colo` says it would send them; the second needs a pair. */
async function dryRuns(file: string): Promise<Texts> {
  const create = commandsOf(await coloOk(...createArgs(file), '--dry-run'))
  const {members} = (await coloOk('pair', 'xml', '-f', file)) as {members: Array<{host: string; xml: string}>}
  await coloOk(...createArgs(file))
  const failover = commandsOf(await coloOk('pair', 'failover', guest.name, '--to', 'beta', '--dry-run'))
  return {
    create,
    failover,
    hosts: {pair: guest.name, xml: Object.fromEntries(members.map(({host, xml}) => [host, xml]))},
  }
}

function createArgs(file: string): string[] {
  return ['pair', 'create', '-f', file, '--yes', '--force', 'image-secondary']
}

function commandsOf(document: Record<string, unknown>): string {
  const {commands} = document['plan'] as {commands?: string}
  if (commands === undefined) throw new Error('the dry run has no commands')
  return commands
}

/** From the beginning of the first step to the end of the promotion, by the agents' clocks, which the lab's hosts share. */
function agentsMs(document: Record<string, unknown>): number {
  const timeline = document['timeline'] as ReadonlyArray<{step: string; atMs: number; tookMs: number}>
  const begin = Math.min(...timeline.map(({atMs, tookMs}) => atMs - tookMs))
  const promoted = timeline.find(({step}) => step.endsWith('/promote'))
  if (promoted === undefined) throw new Error('nothing was promoted')
  return promoted.atMs - begin
}

async function blankImages(): Promise<void> {
  const path = `/var/lib/colo/images/${guest.name}-0.qcow2`
  const make = `rm -f ${path}; qemu-img create -q -f qcow2 ${path} 67108864`
  for (const host of ['alpha', 'beta'] as const) await execIn(host, ['sh', '-c', make])
}

async function removeBare(): Promise<void> {
  const {name} = guest
  const tables = `nft list tables | sed -n 's/^table \\(.* colo-.*\\)/delete table \\1/p' | nft -f -`
  const files = `rm -rf /run/colo/pairs/${name} /run/colo/scratch/${name}-* /var/lib/colo/images/${name}-*`
  for (const host of ['alpha', 'beta'] as const) {
    await execIn(host, ['sh', '-c', `virsh -q destroy ${name} 2>/dev/null; ${tables}; ${files}`], {timeoutMs: 40_000})
  }
}

/** PID 1 of both hosts, as this process sees them. */
async function inits(): Promise<Record<string, number>> {
  const entries = await Promise.all(
    (['alpha', 'beta'] as const).map(async (host): Promise<[string, number]> => {
      const argv = await argvIn(host, ['true'])
      return [host, Number(argv[argv.indexOf('--target') + 1])]
    }),
  )
  for (const [host, pid] of entries) await readFile(`/proc/${pid}/stat`).catch(() => Promise.reject(new Error(host)))
  return Object.fromEntries(entries)
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
