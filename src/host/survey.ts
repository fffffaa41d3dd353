import {ColoError} from '../errors.js'
import type {Clock} from '../os/clock.js'
import type {HostEntry} from '../pair/inventory.js'
import type {AgentClient} from './agent-client.js'
import {fail, type Check} from './check.js'
import type {HostFacts} from './facts.js'
import {fetchHostFacts} from './fetch-facts.js'
import {checkHost, checkTwoHosts, hostPathsToProbe} from './preflight.js'

/** What asking hosts needs; every operation's context has it. */
export interface SurveyContext {
  readonly connect: (host: HostEntry, signal?: AbortSignal) => Promise<AgentClient>
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** One row of `colo host list`. */
export interface HostRow {
  readonly name: string
  readonly connection: string
  readonly replication: string
  readonly reachable: boolean
  /** version of the agent */
  readonly agent?: string
  readonly qemu?: string
  readonly pairs?: readonly string[]
  /** why it does not answer, and what to do */
  readonly problem?: string
  readonly hint?: string
}

const LIST_MS = 10_000

/** Asks one host for what a list shows; a host that does not answer is a row, too. */
export async function listHost(context: SurveyContext, entry: HostEntry, connection: string): Promise<HostRow> {
  const row = {name: entry.name, connection, replication: entry.replication}
  try {
    return await withClient(context, entry, async (client) => {
      const limits = {timeoutMs: LIST_MS, signal: context.signal}
      const [{pairs}, {qemu}] = await Promise.all([
        client.call('pairs.list', {}, limits),
        client.call('host.facts', {want: ['qemu']}, limits),
      ])
      return {...row, reachable: true, agent: client.hello.version, ...(qemu && {qemu: qemu.version}), pairs}
    })
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof ColoError)) throw error
    return {...row, reachable: false, problem: error.message, ...(error.hint === undefined ? {} : {hint: error.hint})}
  }
}

/** The preflight of some hosts: each alone, then every other one together with the first that answers. */
export async function checkHosts(context: SurveyContext, entries: readonly HostEntry[]): Promise<Check[]> {
  const answers = await Promise.all(entries.map((entry) => askHost(context, entry)))
  const checks = answers.flatMap((answer) =>
    'facts' in answer ? checkHost(answer.facts, answer.entry) : [answer.check],
  )
  const [first, ...others] = answers.flatMap((answer) => ('facts' in answer ? [named(answer)] : []))
  return first === undefined ? checks : [...checks, ...others.flatMap((other) => checkTwoHosts(first, other))]
}

type Answer =
  {readonly entry: HostEntry; readonly facts: HostFacts} | {readonly entry: HostEntry; readonly check: Check}

async function askHost(context: SurveyContext, entry: HostEntry): Promise<Answer> {
  try {
    const {clock, signal} = context
    const paths = hostPathsToProbe(entry)
    return {entry, facts: await withClient(context, entry, (client) => fetchHostFacts(client, {clock, signal, paths}))}
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof ColoError)) throw error
    const remedy = error.hint ?? `see \`colo agent status\` on ${entry.name}`
    return {entry, check: fail({id: 'agent', host: entry.name}, error.message, remedy)}
  }
}

/** Pairs that keep a host in the inventory: those in which it has a part, as far as any agent knows. */
export interface HostUse {
  readonly pairs: readonly string[]
  /** hosts that could not be asked */
  readonly silent: readonly string[]
}

/** Asks every host, because the peers know of the pairs of a host that is gone for good. */
export async function pairsUsing(
  context: SurveyContext,
  entries: readonly HostEntry[],
  name: string,
): Promise<HostUse> {
  const answers = await Promise.all(
    entries.map(async (entry) => {
      try {
        const limits = {timeoutMs: LIST_MS, signal: context.signal}
        const {members} = await withClient(context, entry, (client) => client.call('pairs.observe', {}, limits))
        const records = members.flatMap(({record}) => record ?? [])
        const parts = records.filter(({host, peer}) => host === name || peer === name)
        return {pairs: parts.map(({spec}) => String(spec.name)), silent: []}
      } catch (error) {
        context.signal.throwIfAborted()
        if (!(error instanceof ColoError)) throw error
        return {pairs: [], silent: [String(entry.name)]}
      }
    }),
  )
  return {
    pairs: [...new Set(answers.flatMap(({pairs}) => pairs))].sort(),
    silent: answers.flatMap(({silent}) => silent),
  }
}

async function withClient<R>(
  {connect, signal}: SurveyContext,
  entry: HostEntry,
  body: (client: AgentClient) => Promise<R>,
): Promise<R> {
  const client = await connect(entry, signal)
  try {
    return await body(client)
  } finally {
    client.close()
  }
}

function named({facts, entry}: {readonly facts: HostFacts; readonly entry: HostEntry}): HostFacts {
  return {...facts, host: entry.name}
}
