import {fileURLToPath} from 'node:url'
import {faults, namespaces} from '../../src/lab/index.js'
import {startChild} from '../../src/os/child.js'
import {coloOk, guestAnswers, removePair} from '../support/lab.js'
import {BareScript} from './bare-script.js'
import {blankImages, commandsOf, createArgs, openBenchPair, removeBare, type BenchPair} from './bench-pair.js'
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

const address = '10.77.0.10'
const quietMs = 3000
const rounds = 5
/** no new round begins after it */
const budgetMs = 80_000

let made: Promise<Cycles> | undefined

/** Pairs made and failed over in turns by `colo` and by the bare script; the benchmarks of one run share them. */
export function cycles(): Promise<Cycles> {
  made ??= run()
  return made
}

async function run(): Promise<Cycles> {
  const pair = await openBenchPair('boots')
  const lives = {colo: [] as Life[], bare: [] as Life[]}
  const start = performance.now()
  try {
    for (let round = 0; round < rounds && performance.now() - start < budgetMs; round++) {
      const {life, failover} = await coloLife(pair)
      lives.colo.push(life)
      lives.bare.push(await bareLife(pair, failover))
    }
    return lives
  } finally {
    await pair.remove()
  }
}

/** @returns also the commands of the failover, as the dry run told them while the pair was whole */
async function coloLife({name, file}: BenchPair): Promise<{life: Life; failover: string}> {
  await blankImages()
  try {
    const {ms: createMs} = await timed(() => coloOk(...createArgs(file)))
    const failover = commandsOf(await coloOk('pair', 'failover', name, '--to', 'beta', '--dry-run'))
    const seen = await failOver(name, async () => agentsMs(await coloOk('pair', 'failover', name, '--yes')))
    return {life: {createMs, ...seen}, failover}
  } finally {
    await removePair(name)
  }
}

async function bareLife({name, create, hosts}: BenchPair, failover: string): Promise<Life> {
  await blankImages()
  const script = new BareScript(await hosts())
  try {
    const {ms: createMs} = await timed(() => script.run(create))
    const promotion = (step: string): boolean => step === 'beta/promote'
    const seen = await failOver(name, () => script.run(failover, promotion).then(() => undefined))
    return {createMs, ...seen}
  } finally {
    script.close()
    await removeBare()
  }
}

/** A client looks on while the primary's QEMU is killed and the secondary takes over. */
async function failOver(pair: string, takeOver: () => Promise<number | undefined>): Promise<Omit<Life, 'createMs'>> {
  await guestAnswers(address)
  const program = fileURLToPath(new URL('client.ts', import.meta.url))
  const node = [process.execPath, '--import', 'tsx', program, address] as const
  const client = await startChild(['ip', 'netns', 'exec', namespaces.client, ...node])
  try {
    await client.nextLine(20_000)
    client.write('mark\n') // the program's own start
    await pause(quietMs)
    client.write('mark\n')
    await faults.signalQemu('kill', {host: 'alpha', pair})
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

/** From the beginning of the first step to the end of the promotion, by the agents' clocks, which the lab's hosts share. */
function agentsMs(document: Record<string, unknown>): number {
  const timeline = document['timeline'] as ReadonlyArray<{step: string; atMs: number; tookMs: number}>
  const begin = Math.min(...timeline.map(({atMs, tookMs}) => atMs - tookMs))
  const promoted = timeline.find(({step}) => step.endsWith('/promote'))
  if (promoted === undefined) throw new Error('nothing was promoted')
  return promoted.atMs - begin
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
