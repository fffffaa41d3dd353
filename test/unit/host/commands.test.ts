import {mkdtemp, readFile, rm, stat, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {Command} from '@oclif/core'
import * as assert from 'uvu/assert'
import HostAdd from '../../../commands/host/add.js'
import HostCheck from '../../../commands/host/check.js'
import HostList from '../../../commands/host/list.js'
import HostRemove from '../../../commands/host/remove.js'
import type {Method} from '../../../src/agent/protocol.js'
import {UnreachableError} from '../../../src/errors.js'
import type {AgentClient} from '../../../src/host/agent-client.js'
import type {HostFacts} from '../../../src/host/facts.js'
import type {HostEntry} from '../../../src/pair/inventory.js'
import type {PairRecord} from '../../../src/pair/record.js'
import {suite, type T} from '../../support/suite.js'
import {runCommand, type Ran} from '../cli/run-command.js'
import {factsOf, probedQemu, recordOf, specOf} from './samples.js'

const test = suite('host/commands')

/** What an agent of a test answers; a host that is not named does not answer. */
interface Answers {
  readonly facts?: Partial<HostFacts>
  readonly records?: readonly PairRecord[]
}

const inventory = `# our hosts
apiVersion: colo/v1
kind: Hosts
hosts:
  alpha: {connection: 'ssh://root@10.99.0.1', replication: 10.88.0.1, bridges: [br0]} # rack 1
  beta: {connection: 'ssh://root@10.99.0.2', replication: 10.88.0.2, bridges: [br0]} # rack 2
`

interface Rig {
  readonly file: string
  readonly run: (command: Command.Class, ...argv: string[]) => Promise<Ran>
  readonly text: () => Promise<string>
}

async function rig(t: T, hosts: Readonly<Record<string, Answers>>): Promise<Rig> {
  const directory = await mkdtemp(join(tmpdir(), 'colo-hosts-'))
  t.defer(() => rm(directory, {recursive: true}))
  const file = join(directory, 'hosts.yaml')
  await writeFile(file, inventory, {mode: 0o640})
  const qemu = await probedQemu('11.1.3')
  const connect = ({name}: HostEntry): Promise<AgentClient> => {
    const answers = hosts[name]
    if (answers === undefined)
      return Promise.reject(new UnreachableError(name, `cannot reach ${name}`, {hint: 'plug it in'}))
    const client = {
      host: name,
      hello: {protocol: 1, version: '0.1.0', host: name, startedAtMs: 0, bootId: 'b'},
      call: (method: Method) =>
        Promise.resolve(answer(method, factsOf(name, qemu, {atMs: Date.now(), ...answers.facts}), answers)),
      close: () => undefined,
    }
    return Promise.resolve(client as unknown as AgentClient)
  }
  return {
    file,
    run: (command, ...argv) => {
      const Wired = class extends (command as unknown as new (...args: unknown[]) => object) {
        readonly connect = connect
      }
      return runCommand(Wired as unknown as Command.Class, [...argv, '--hosts', file])
    },
    text: () => readFile(file, 'utf8'),
  }
}

function answer(method: Method, facts: HostFacts, {records = []}: Answers): unknown {
  switch (method) {
    case 'pairs.list':
      return {pairs: records.map(({spec}) => spec.name)}
    case 'pairs.observe':
      return {members: records.map((record) => ({record}))}
    case 'host.facts':
      return facts
    default:
      throw new Error(`no answer to ${method}`)
  }
}

test('list: reachable or not, versions and pairs; exit 0 all the same', async (t) => {
  const {run} = await rig(t, {alpha: {records: [recordOf('alpha', specOf())]}})
  const table = await run(HostList)
  assert.is(table.exit, 0)
  assert.match(table.stdout, /^alpha +0\.1\.0 +11\.1\.3 +1 +ssh:\/\/root@10\.99\.0\.1 +10\.88\.0\.1/m)
  assert.match(table.stdout, /^beta +no answer +- +- .*cannot reach beta/m)
  assert.is((await run(HostList, '-o', 'name')).stdout, 'alpha\nbeta\n')
  const {hosts} = JSON.parse((await run(HostList, '--json')).stdout) as {hosts: unknown[]}
  assert.equal(hosts[0], {
    name: 'alpha',
    connection: 'ssh://root@10.99.0.1',
    replication: '10.88.0.1',
    reachable: true,
    agent: '0.1.0',
    qemu: '11.1.3',
    pairs: ['web1'],
  })
})

test('check: all is well, for one and for two', async (t) => {
  const {run} = await rig(t, {alpha: {}, beta: {}})
  const one = await run(HostCheck, 'alpha')
  assert.is(one.exit, 0)
  assert.match(one.stdout, /pass {2}alpha {2}bridge +bridge br0/)
  assert.match(one.stdout, /\d+ pass, 0 warn, 0 fail\n$/)
  assert.not.match(one.stdout, /both/)
  const two = await run(HostCheck)
  assert.match(two.stdout, /pass {2}both {3}same-qemu/)
  assert.match(two.stdout, /clock-difference +the clocks are 0\.\d\d s apart/)
  assert.is((await run(HostCheck, '-q')).stdout, '')
})

test('check: failures end with 6 and come with remedies, also as a document', async (t) => {
  const {run} = await rig(t, {alpha: {facts: {bridges: []}}})
  const text = await run(HostCheck)
  assert.is(text.exit, 6)
  assert.match(text.stdout, /fail {2}alpha {2}bridge .*there is no bridge br0\n +remedy: make it/)
  assert.match(text.stdout, /fail {2}beta {3}agent +cannot reach beta\n +remedy: plug it in/)
  const json = await run(HostCheck, 'alpha', '--json')
  assert.is(json.exit, 6)
  const document = JSON.parse(json.stdout) as {verdict: string; hosts: string[]; checks: Array<{verdict: string}>}
  assert.is(document.verdict, 'fail')
  assert.equal(document.hosts, ['alpha'])
  assert.is(document.checks.filter(({verdict}) => verdict === 'fail').length, 1)
})

test('check: a clock that is ahead is seen', async (t) => {
  const {run} = await rig(t, {alpha: {}, beta: {facts: {atMs: Date.now() + 60_000}}})
  assert.match(
    (await run(HostCheck)).stdout,
    /warn {2}both +clock-difference +the clocks are 60 s apart.*alpha is behind/,
  )
})

test('check: a host twice, and one that is not there', async (t) => {
  const {run} = await rig(t, {alpha: {}})
  assert.is((await run(HostCheck, 'alpha', 'alpha')).exit, 2)
  const unknown = await run(HostCheck, 'omega')
  assert.is(unknown.exit, 3)
  assert.match(unknown.stderr, /omega is not in/)
})

const gamma = ['gamma', '--connection', 'ssh://root@10.99.0.3', '--replication', '10.88.0.3']
const atGamma = {addresses: [{dev: 'repl0', address: '10.88.0.3', up: true, mtu: 1500}]}

test('add: the agent proves it, comments and mode of the file stay', async (t) => {
  const {run, text, file} = await rig(t, {gamma: {facts: atGamma}})
  const added = await run(HostAdd, ...gamma, '--bridge', 'br0', '--bridge', 'br1')
  assert.is(added.exit, 0, added.stderr)
  const after = await text()
  assert.match(after, /# our hosts[^]*# rack 1[^]*# rack 2[^]*gamma:/)
  assert.match(after, /br1/)
  assert.is((await stat(file)).mode & 0o777, 0o640)
})

test('add: nothing is written when the agent is silent, or is not this host', async (t) => {
  const {run, text} = await rig(t, {delta: {facts: {host: 'other'}}, gamma: {facts: {addresses: []}}})
  assert.is((await run(HostAdd, 'omega', '--connection', 'ssh://omega', '--replication', '10.88.0.9')).exit, 20)
  const other = await run(HostAdd, 'delta', '--connection', 'ssh://delta', '--replication', '10.88.0.2')
  assert.is(other.exit, 2, "its replication address is beta's")
  const named = await run(HostAdd, 'delta', '--connection', 'ssh://delta', '--replication', '10.88.0.4')
  assert.is(named.exit, 6)
  assert.match(named.stderr, /calls itself other/)
  const address = await run(HostAdd, ...gamma)
  assert.is(address.exit, 6)
  assert.match(address.stderr, /10\.88\.0\.3 is on no interface[^]*--no-check/)
  assert.is((await run(HostAdd, 'alpha', '--connection', 'ssh://x', '--replication', '10.88.0.7')).exit, 4)
  assert.is((await run(HostAdd, 'a b', '--connection', 'ssh://x', '--replication', '10.88.0.7')).exit, 2)
  assert.is(await text(), inventory)
})

test('add --no-check asks nobody', async (t) => {
  const {run, text} = await rig(t, {})
  const added = await run(HostAdd, ...gamma, '--no-check', '--json')
  assert.is(added.exit, 0, added.stdout)
  assert.equal((JSON.parse(added.stdout) as {checks: unknown[]}).checks, [])
  assert.match(await text(), /gamma:/)
})

test('remove: refused while a pair uses it, also when only the peer can tell', async (t) => {
  const {run, text} = await rig(t, {alpha: {records: [recordOf('alpha', specOf())]}})
  for (const name of ['alpha', 'beta']) {
    const refused = await run(HostRemove, name)
    assert.is(refused.exit, 4)
    assert.match(refused.stderr, new RegExp(`${name} has a part in web1`))
  }
  assert.is(await text(), inventory)
})

test('remove: silent hosts are a question with a word of its own', async (t) => {
  const {run, text} = await rig(t, {alpha: {}})
  assert.is((await run(HostRemove, 'beta')).exit, 22)
  assert.is((await run(HostRemove, 'beta', '--yes')).exit, 22)
  assert.is(await text(), inventory)
  const removed = await run(HostRemove, 'beta', '--yes', '--force', 'unknown-pairs', '--json')
  assert.equal((JSON.parse(removed.stdout) as {silent: string[]}).silent, ['beta'])
  assert.not.match(await text(), /beta/)
})

test('remove: unused, and unknown', async (t) => {
  const {run, text} = await rig(t, {alpha: {}, beta: {}})
  assert.is((await run(HostRemove, 'beta')).exit, 0)
  assert.match(await text(), /# rack 1/)
  assert.is((await run(HostRemove, 'omega')).exit, 3)
})

test.run()
