import assert from 'node:assert/strict'
import {ConflictError, UnreachableError} from '../../../src/errors.js'
import type {AgentClient} from '../../../src/host/agent-client.js'
import type {OperationContext} from '../../../src/operation/context.js'
import {refuseElsewhere} from '../../../src/operation/elsewhere.js'
import type {HostEntry} from '../../../src/pair/inventory.js'
import {memberOf, recordOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'

const test = suite('a pair of that name on other hosts')

type Answer = 'record' | 'nothing' | 'refused' | 'silent'

/** An inventory of these hosts; `closed` gets the names of those whose connections ended. */
function inventory(answers: Readonly<Record<string, Answer>>) {
  const closed: string[] = []
  const asked: string[] = []
  const connect = async ({name}: HostEntry, signal?: AbortSignal): Promise<AgentClient> => {
    asked.push(name)
    const answer = answers[name]
    if (answer === 'refused') throw new UnreachableError(name, `${name} refused`)
    if (answer === 'silent') {
      return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)))
    }
    const member = {...memberOf('primary'), host: name, record: answer === 'record' ? recordOf('primary') : undefined}
    return {
      host: name,
      hello: {protocol: 1, version: '0', host: name, startedAtMs: 0, bootId: 'b'},
      close: () => closed.push(name),
      call: async () => ({members: [member]}) as never,
    }
  }
  const hosts = Object.keys(answers).map((name) => ({name}))
  const context = {inventory: {file: 'hosts.yaml', hosts}, connect, signal: new AbortController().signal}
  return {context: context as unknown as OperationContext, closed, asked}
}

const hosts = ['alpha', 'beta']

test('nobody else has one: only the others are asked, and let go of', async () => {
  const {context, asked, closed} = inventory({alpha: 'record', beta: 'record', gamma: 'nothing', delta: 'nothing'})
  assert.deepEqual(await refuseElsewhere(context, 'web1', hosts), [])
  assert.deepEqual(
    [asked, closed.sort()],
    [
      ['gamma', 'delta'],
      ['delta', 'gamma'],
    ],
  )
})

test('a pair that moved twice is on none of the hosts of its file: it is not made a second time', async () => {
  const {context} = inventory({alpha: 'nothing', beta: 'nothing', gamma: 'record', delta: 'record'})
  await assert.rejects(refuseElsewhere(context, 'web1', hosts), (error: ConflictError) => {
    assert.ok(error instanceof ConflictError)
    assert.match(error.message, /pair web1 exists already on gamma and delta/)
    assert.match(error.hint ?? '', /colo pair status web1/)
    return true
  })
})

test('one that does not answer is named; one that hangs delays for its grace only, and is let go of', async () => {
  const {context} = inventory({alpha: 'nothing', beta: 'nothing', gamma: 'refused', delta: 'silent'})
  assert.deepEqual(await refuseElsewhere(context, 'web1', hosts), ['gamma', 'delta'])
})

test.run()
