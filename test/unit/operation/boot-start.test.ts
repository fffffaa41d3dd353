import assert from 'node:assert/strict'
import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {BootList} from '../../../src/agent/boot-list.js'
import type {Methods} from '../../../src/agent/protocol.js'
import {ColoError, RefusedError, TimedOutError} from '../../../src/errors.js'
import type {AgentClient} from '../../../src/host/agent-client.js'
import {startAfterBoot} from '../../../src/operation/boot-start.js'
import type {OperationContext} from '../../../src/operation/context.js'
import type {RejoinOutcome} from '../../../src/operation/rejoin.js'
import {nodeFiles} from '../../../src/os/files-node.js'
import type {HostEntry} from '../../../src/pair/inventory.js'
import type {MemberObservation} from '../../../src/pair/observation.js'
import {firstGeneration, nextGeneration} from '../../../src/pair/generation.js'
import {memberOf, recordOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'

const test = suite('start after a boot')
const down: Partial<MemberObservation> = {domain: 'absent', qmp: 'absent', vm: undefined, copyFaults: [], atMs: 1000}
const generation = firstGeneration('gen-1')
const heard = {
  atMs: 900,
  generationId: generation.id,
  epoch: 1,
  alone: false,
  domain: 'absent',
  role: 'secondary',
  generation,
} as const

/** An agent that knows one pair; what it is told goes to `calls`. Each look at the pair takes the next observation. */
function agent(looks: ReadonlyArray<MemberObservation | Error>, fail?: () => Error | undefined) {
  const calls: string[] = []
  let waiting = ['web1']
  let at = 0
  const client: AgentClient = {
    host: 'alpha',
    hello: {protocol: 1, version: '0', host: 'alpha', startedAtMs: 0, bootId: 'b'},
    close: () => undefined,
    call: async (method, params) => {
      const now = looks[Math.min(at, looks.length - 1)]
      if (method === 'boot.read') return {waiting} as never
      if (now instanceof Error && method === 'pairs.observe') {
        at++
        throw now
      }
      if (method === 'pairs.observe') return {members: [now]} as never
      if (method === 'boot.note') {
        at++
        const {boot} = params as Methods['boot.note']['params']
        calls.push(`note ${boot === undefined ? 'done' : `${boot.kind}: ${boot.why}`}`)
        if (boot?.kind !== 'wait') waiting = []
      }
      if (method === 'steps.run') {
        const error = fail?.()
        if (error !== undefined) throw error
        const {steps} = params as Methods['steps.run']['params']
        calls.push(...steps.map(({id}) => id))
        return {done: steps.map(({id}) => id)} as never
      }
      return {}
    },
  }
  return {client, calls}
}

async function boot(
  looks: ReadonlyArray<MemberObservation | Error>,
  fail?: () => Error | undefined,
  rejoins: ReadonlyArray<RejoinOutcome | Error> = [],
): Promise<string[]> {
  const {client, calls} = agent(looks, fail)
  let id = 0
  const context = {
    inventory: {file: 'none', hosts: []},
    connect: async () => client,
    clock: {now: () => 0, monotonic: () => 0, sleep: async () => undefined},
    newId: () => `id-${++id}`,
    newKey: () => 'k',
    owner: 'test',
    signal: new AbortController().signal,
    progress: {planned: () => undefined, step: () => undefined, note: () => undefined},
    confirm: async () => {
      throw new Error('nobody may be asked')
    },
  } satisfies OperationContext
  const host = {name: 'alpha'} as unknown as HostEntry
  let joined = 0
  const rejoin = async (pair: string): Promise<RejoinOutcome> => {
    calls.push(`rejoin ${pair}`)
    const outcome = rejoins[joined++] ?? {kind: 'protected'}
    if (outcome instanceof Error) throw outcome
    return outcome
  }
  await startAfterBoot(context, {host, signal: context.signal, tell: () => undefined, rejoin})
  return calls
}

test('a silent peer is waited for, with the reason; its word starts the copy by the same plan as a person would', async () => {
  const calls = await boot([memberOf('primary', down), memberOf('primary', {...down, peer: heard})])
  assert.match(calls[0] ?? '', /^note wait: it waits for a word of the agent on beta/)
  assert.deepEqual(calls.slice(1), ['alpha/verify', 'alpha/alone', 'alpha/domain', 'note done'])
})

test('an agent that is slow to answer right after the boot is asked again', async () => {
  const slow = new TimedOutError('agent of alpha gave no answer to pairs.observe within 5000 ms', 5000)
  const calls = await boot([slow, memberOf('primary', {...down, peer: heard})])
  assert.deepEqual(calls, ['alpha/verify', 'alpha/alone', 'alpha/domain', 'note done'])
})

const stale = recordOf('primary', {marks: {stale: 'beta went on'}})
const second = nextGeneration(generation, 'gen-2')
const goesOn = {
  ...heard,
  generationId: second.id,
  epoch: 2,
  generation: second,
  alone: true,
  role: 'primary',
  domain: 'running',
} as const

test('an outdated copy waits for the other one, joins it when it may, and again after what passes by itself', async () => {
  const looks = [heard, goesOn].map((peer) => memberOf('primary', {...down, record: stale, peer}))
  const calls = await boot(looks, undefined, [
    {kind: 'busy', why: 'beta still merges'},
    {kind: 'failed', why: 'ssh: refused'},
    {kind: 'protected'},
  ])
  assert.deepEqual(calls, [
    'note wait: it waits for the copy on beta to run',
    'rejoin web1',
    'note wait: beta still merges',
    'rejoin web1',
    'note wait: ssh: refused',
    'rejoin web1',
    'note done',
  ])
  const outcome = {kind: 'refused', why: 'its protection was suspended'} as const
  const refused = await boot([memberOf('primary', {...down, record: stale, peer: goesOn})], undefined, [outcome])
  assert.deepEqual(refused, ['rejoin web1', 'note leave: its protection was suspended'])
})

test('a failure that nobody expected is noted and left, not tried every second', async () => {
  const member = memberOf('primary', {...down, record: stale, peer: goesOn})
  assert.deepEqual(await boot([member], undefined, [new TypeError('a bug')]), ['rejoin web1', 'note leave: a bug'])
})

test('over anything but an interrupted resync nothing is made', async () => {
  const intent = {
    plan: 'p',
    title: 'it',
    startedAtMs: 0,
    owner: 'x',
    done: [],
    committed: true,
    finish: 'colo pair it web1',
  }
  const look = (kind: string) => memberOf('primary', {...down, record: stale, peer: goesOn, intent: {...intent, kind}})
  assert.deepEqual(await boot([look('replace')]), ['note leave: it was interrupted: it; finish it: colo pair it web1'])
  assert.deepEqual(await boot([look('resync')]), ['rejoin web1', 'note done'])
})

test('what must not start is left, and nothing is run', async () => {
  const manual = {...stale, spec: {...stale.spec, resync: 'manual'}} as const
  assert.deepEqual(await boot([memberOf('primary', {...down, record: manual, peer: goesOn})]), [
    'note leave: resync: manual leaves that to a person',
  ])
  const intent = {
    plan: 'p',
    kind: 'destroy',
    title: 'destroy web1',
    startedAtMs: 0,
    owner: 'x',
    done: [],
    committed: true,
    finish: 'colo pair destroy web1',
  }
  assert.deepEqual(await boot([memberOf('primary', {...down, peer: heard, intent})]), [
    'note leave: it was interrupted: destroy web1; finish it: colo pair destroy web1',
  ])
  assert.deepEqual(await boot([memberOf('primary')]), ['note done'], 'it runs already')
})

test('a Xen pair is left to a person, whatever the other side says', async () => {
  const {spec, ...others} = recordOf('primary')
  const record = {...others, spec: {...spec, engine: 'xen' as const}}
  const [first, ...more] = await boot([memberOf('primary', {...down, record, peer: heard})])
  assert.match(
    first ?? '',
    /^note leave: a Xen pair is not started after a boot: beta may hold a copy that can take over/,
  )
  assert.deepEqual(more, [])
})

test('a failure is tried again a few times, a refusal is not', async () => {
  const up = memberOf('primary', {...down, peer: heard})
  const failed = await boot([up], () => new ColoError('tool-failed', 1, 'libvirt is not there yet'))
  assert.deepEqual(failed, [
    ...Array.from({length: 5}, () => 'note wait: libvirt is not there yet'),
    'note leave: libvirt is not there yet',
  ])
  assert.deepEqual(await boot([up], () => new RefusedError('no')), ['note leave: no'])
})

test('the list outlives the agent, and not the boot', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'colo-boot-'))
  t.defer(() => rm(directory, {recursive: true}))
  const list = async (bootId: string, ...known: string[]): Promise<BootList> => {
    const made = new BootList({files: nodeFiles, file: join(directory, 'boot.json'), bootId})
    await made.load(known)
    return made
  }
  const first = await list('boot-1', 'web1', 'web2')
  assert.deepEqual(first.waiting, ['web1', 'web2'])
  await first.note('web1', undefined)
  await first.note('web2', {kind: 'wait', why: 'beta is silent'})
  const again = await list('boot-1', 'web1', 'web2', 'made-since')
  assert.deepEqual([again.waiting, again.of('web2')?.why], [['web2'], 'beta is silent'])
  await again.note('web2', {kind: 'leave', why: 'stale'})
  assert.deepEqual((await list('boot-1')).waiting, [])
  assert.deepEqual((await list('boot-2', 'web1')).waiting, ['web1'])
})

test.run()
