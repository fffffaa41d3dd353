import assert from 'node:assert/strict'
import type {Methods} from '../../../src/agent/protocol.js'
import {ConflictError, UnreachableError} from '../../../src/errors.js'
import type {AgentClient} from '../../../src/host/agent-client.js'
import {AgentError} from '../../../src/host/agent-wire.js'
import {bootOwner} from '../../../src/pair/boot-owner.js'
import type {OperationContext} from '../../../src/operation/context.js'
import {rejoinPair, type RejoinOutcome} from '../../../src/operation/rejoin.js'
import {resyncPair} from '../../../src/operation/resync.js'
import {nextGeneration} from '../../../src/pair/generation.js'
import type {MemberObservation} from '../../../src/pair/observation.js'
import type {Marks} from '../../../src/pair/record.js'
import {memberOf, recordOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'

const test = suite('an outdated copy becomes the secondary again')
const first = recordOf('primary').generation
const options = {dryRun: false, timeoutMs: 60_000, force: []}

/** alpha goes on alone; beta is back, and outdated. */
function alone(marks: Marks = {}): MemberObservation {
  const record = recordOf('primary', {
    generation: nextGeneration(first, 'gen-2'),
    alone: true,
    wasProtected: false,
    marks,
  })
  const vm = {status: 'running', coloMode: 'none', migration: 'completed', qemuVersion: '11.1.3'} as const
  return memberOf('primary', {record, vm})
}
const outdated = memberOf('secondary', {
  record: recordOf('secondary', {marks: {stale: 'alpha went on alone'}}),
  ...{domain: 'absent', qmp: 'absent', vm: undefined},
})

interface Hosts {
  readonly alpha: MemberObservation | undefined
  readonly beta: MemberObservation
}

/** What the hosts say changes when a lock is refused, as often as there are holders, and again after the next look. */
function context(
  looks: readonly Hosts[],
  {holders = [], version = '11.1.3'}: {holders?: string[]; version?: string} = {},
) {
  const notes: string[] = []
  const calls: string[] = []
  let phase = 0
  let looked = 0
  const look = (host: 'alpha' | 'beta'): MemberObservation | undefined => {
    if (phase > 0 && host === 'alpha' && ++looked > 2) phase = 2 // the command that was refused looks, too
    return looks[Math.min(phase, looks.length - 1)]?.[host]
  }
  const clientOf = (host: 'alpha' | 'beta'): AgentClient => ({
    host,
    hello: {protocol: 1, version: '0', host, startedAtMs: 0, bootId: 'b'},
    close: () => undefined,
    call: async (method, params) => {
      if (method === 'pairs.observe') return {members: [look(host)]} as never
      if (method === 'host.facts') return {qemu: {version}} as never
      if (method === 'lock.acquire') {
        const owner = holders.shift()
        if (owner !== undefined) {
          phase = 1
          const remote = {code: 'conflict', exit: 4, message: `web1 is being changed by ${owner}`}
          throw new AgentError({host, method}, remote)
        }
      }
      if (method === 'steps.run') {
        const {steps} = params as Methods['steps.run']['params']
        calls.push(...steps.map(({id}) => id))
        return {done: steps.map(({id}) => id)} as never
      }
      return {}
    },
  })
  let id = 0
  const made = {
    inventory: {file: 'hosts.yaml', hosts: ['alpha', 'beta'].map((name) => ({name}))},
    connect: async ({name}: {name: 'alpha' | 'beta'}) => {
      if (looks[0]?.[name] === undefined) throw new UnreachableError(name, `${name} does not answer`)
      return clientOf(name)
    },
    clock: {now: () => 0, monotonic: () => performance.now(), sleep: async () => undefined},
    newId: () => `id-${++id}`,
    newKey: () => 'k',
    owner: 'test',
    signal: new AbortController().signal,
    progress: {planned: () => undefined, step: () => undefined, note: (text: string) => notes.push(text)},
    confirm: async () => undefined,
  } as unknown as OperationContext
  return {made, notes, calls}
}

const held = (owner: string): MemberObservation['lock'] => ({owner, purpose: 'protect web1 again', sinceMs: 0})
const before: Hosts = {alpha: alone(), beta: outdated}
const during = (owner: string): Hosts => ({
  alpha: {...alone(), lock: held(owner)},
  beta: {...outdated, lock: held(owner)},
})
const after: Hosts = {alpha: memberOf('primary'), beta: memberOf('secondary')}

test("a person's resync that meets the one of an agent waits for it, and changes nothing", async () => {
  const owner = bootOwner('beta')
  const {made, notes, calls} = context([before, during(owner), after], {holders: [owner]})
  const {changed, status} = await resyncPair(made, 'web1', options)
  assert.deepEqual([changed, status?.state, calls], [false, 'protected', []])
  assert.match(notes.join(), /the agent on beta, after its boot, is at it already: protect web1 again; waiting for it/)
})

test('one that met it just at its end finds the pair protected, too', async () => {
  const {made, calls} = context([before, after], {holders: [bootOwner('beta')]})
  assert.equal((await resyncPair(made, 'web1', options)).changed, false)
  assert.deepEqual(calls, [])
})

test('a person who is at it is told of, as ever', async () => {
  const {made} = context([before, during('root@x pid 1')], {holders: ['root@x pid 1']})
  await assert.rejects(resyncPair(made, 'web1', options), /is being changed by root@x pid 1/)
})

const outcomes: ReadonlyArray<
  readonly [string, Hosts, RejoinOutcome['kind'], RegExp, {holders?: string[]; version?: string}?]
> = [
  [
    'its host has another QEMU',
    before,
    'refused',
    /QEMU on beta is 11\.2\.0, and the guest runs in 11\.1\.3/,
    {version: '11.2.0'},
  ],
  [
    'a person suspended the protection',
    {...before, alpha: alone({suspended: 'by root'})},
    'refused',
    /was suspended by root/,
  ],
  [
    'the other one still merges its overlays',
    {...before, alpha: alone({incomplete: {why: 'commit', detail: 'merging'}})},
    'busy',
    /still merges/,
  ],
  ['somebody is at it', before, 'busy', /being changed by root@x/, {holders: ['root@x']}],
  ['the other host does not answer', {...before, alpha: undefined}, 'failed', /alpha does not answer/],
]
for (const [title, hosts, kind, why, how] of outcomes) {
  test(`with nobody at the keyboard: ${title}`, async () => {
    const {made, calls} = context([hosts], how)
    const outcome = await rejoinPair(made, 'web1', 'beta')
    assert.equal(outcome.kind, kind, JSON.stringify(outcome))
    assert.ok(outcome.kind !== 'protected' && why.test(outcome.why), JSON.stringify(outcome))
    assert.deepEqual(calls, [])
  })
}

test('a conflict here counts as one there', () => {
  assert.equal(new ConflictError('x').exit, 4)
})

test.run()
