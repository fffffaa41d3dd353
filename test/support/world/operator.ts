import {setMaxListeners} from 'node:events'
import {ColoError, UnreachableError} from '../../../src/errors.js'
import type {OperationContext, Question} from '../../../src/operation/context.js'
import {applyPair} from '../../../src/operation/apply.js'
import {createPair, type CreateOptions} from '../../../src/operation/create.js'
import {destroyPair} from '../../../src/operation/destroy.js'
import {cleanDisks} from '../../../src/operation/disk.js'
import {failoverPair} from '../../../src/operation/failover.js'
import {importPair} from '../../../src/operation/import.js'
import {observePair} from '../../../src/operation/observe.js'
import {repairPair} from '../../../src/operation/repair.js'
import {replacePair} from '../../../src/operation/replace.js'
import {resolvePair} from '../../../src/operation/resolve.js'
import {resyncPair} from '../../../src/operation/resync.js'
import {startPair} from '../../../src/operation/start.js'
import {stopPair} from '../../../src/operation/stop.js'
import {suspendPair} from '../../../src/operation/suspend.js'
import {testFailover} from '../../../src/operation/test-failover.js'
import type {PairStatus} from '../../../src/pair/status.js'
import type {HostName, PairName} from '../../../src/pair/spec.js'
import {entryOf, specOf} from '../../unit/host/samples.js'
import {turn, Violation, type RunningCommand, type Strike, type World} from './world.js'

/** What a command ended with. */
export type Ended = {readonly error?: Error}

let ids = 0

/** Runs commands as a person would, one after the other; what they may answer to questions is said with each. */
export class Operator {
  readonly world: World
  /** commands that were run, and how they ended, for a report */
  readonly log: string[] = []
  /** what was asked, and answered with yes */
  readonly questions: Question[] = []

  constructor(world: World) {
    this.world = world
  }

  /**
   * Runs one command line such as `failover web1 --to beta`. A fault may strike it.
   *
   * @throws {Violation}
   */
  async run(line: string, strike?: Strike): Promise<Ended> {
    const {world} = this
    const command: RunningCommand = {dead: false, interrupt: new AbortController(), drops: []}
    world.begin(command, strike)
    setMaxListeners(0, command.interrupt.signal)
    const context = this.#context(command)
    let error: Error | undefined
    try {
      await perform(context, world, line)
    } catch (thrown) {
      if (thrown instanceof Violation) throw thrown
      error = thrown as Error
      if (!(error instanceof ColoError) && !command.interrupt.signal.aborted) throw error
    } finally {
      for (const drop of command.drops) drop()
    }
    for (let i = 0; i < 3; i++) await turn() // steps that were cut off end
    if (world.broken !== undefined) throw world.broken
    const how = error === undefined ? 'done' : error.message
    this.log.push(`${line}: ${command.dead ? 'killed' : how}`)
    world.begin({dead: false, interrupt: new AbortController(), drops: []}, undefined)
    world.check()
    return error === undefined ? {} : {error}
  }

  async status(): Promise<PairStatus | undefined> {
    const command: RunningCommand = {dead: false, interrupt: new AbortController(), drops: []}
    try {
      return (await observePair(this.#context(command), this.world.spec.name)).status
    } catch (error) {
      if (error instanceof ColoError) return undefined
      throw error
    } finally {
      for (const drop of command.drops) drop()
    }
  }

  #context(command: RunningCommand): OperationContext {
    const {world} = this
    return {
      inventory: {
        file: 'hosts.yaml',
        hosts: world.hosts.map(({name, address}) => entryOf(name, {replication: address})),
      },
      connect: async ({name}, signal) => {
        signal?.throwIfAborted()
        const {agent, on} = world.host(name)
        if (command.dead || !on || agent === undefined) throw new UnreachableError(name, `${name} does not answer`)
        const client = agent.connect(() => command.dead)
        command.drops.push(() => client.close())
        return client
      },
      clock: world.clock,
      newId: () => `id-${++ids}-0000-4000-8000-000000000000`,
      newKey: () => '00'.repeat(32),
      owner: 'root@admin pid 1',
      signal: command.interrupt.signal,
      progress: {planned: () => undefined, step: () => undefined, note: () => undefined},
      confirm: async (question) => {
        this.questions.push(question)
      },
    }
  }
}

async function importPlain(
  context: OperationContext,
  {domain, options}: {readonly domain: string; readonly options: CreateOptions},
): Promise<void> {
  const {checkpoint} = specOf()
  await importPair(
    context,
    {
      ...{domain, name: 'web1' as PairName, host: undefined, secondary: 'beta' as HostName, spare: undefined},
      ...{drop: [], bridges: {}, images: {}, uncompared: 'drop', checkpoint, restart: true},
    },
    options,
    () => undefined,
  )
}

const minuteMs = 60_000
const hourMs = 60 * minuteMs

async function perform(context: OperationContext, world: World, line: string): Promise<void> {
  const [verb = '', ...rest] = line.split(' ')
  const pair = world.spec.name
  const flag = (name: string): string | undefined => (rest.includes(name) ? rest[rest.indexOf(name) + 1] : undefined)
  const force = rest.flatMap((word, index) => (rest[index - 1] === '--force' ? [word] : []))
  const options = {dryRun: false, force, timeoutMs: 100 * hourMs, yes: true}
  switch (verb) {
    case 'create':
      if (rest.includes('--from-domain')) return importPlain(context, {domain: flag('--from-domain') ?? '', options})
      await createPair(context, world.spec, options)
      return
    case 'failover':
      await failoverPair(context, pair, {...options, to: flag('--to'), resync: rest.includes('--resync')})
      return
    case 'resync':
      await resyncPair(context, pair, options)
      return
    case 'start':
      await startPair(context, pair, {...options, alone: flag('--alone'), on: flag('--on')})
      return
    case 'stop':
      await stopPair(context, pair, {...options, timeoutMs: minuteMs})
      return
    case 'suspend':
      await suspendPair(context, pair, options)
      return
    case 'resume':
      await resyncPair(context, pair, {...options, resume: true})
      return
    case 'replace':
      await replacePair(context, pair, {
        ...options,
        secondary: flag('--secondary') ?? '',
        deleteCopies: rest.includes('--delete-copies'),
      })
      return
    case 'test-failover':
      await testFailover(context, pair, {...options, probes: [], probe: async () => undefined, resync: false})
      return
    case 'apply':
      await applyPair(context, world.spec, {...options, move: rest.includes('--move'), start: rest.includes('--start')})
      return
    case 'disk':
      await cleanDisks(context, pair, options)
      return
    case 'resolve':
      await resolvePair(context, pair, {...options, discard: flag('--discard') ?? ''})
      return
    case 'destroy':
      await destroyPair(context, pair, {...options, deleteCopies: rest.includes('--delete-copies')})
      return
    case 'status':
      if (rest.includes('--repair')) await repairPair(context, pair, options)
      return
    case 'list':
      return
    case 'wait':
      for (let i = 0; i < 50; i++) await context.clock.sleep(100)
      return
    default:
      throw new Error(`the operator of the model does not know "colo pair ${verb}": test/support/world/operator.ts`)
  }
}
