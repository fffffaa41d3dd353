import fc from 'fast-check'
import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {dirname, join} from 'node:path'
import * as assert from 'uvu/assert'

import {connectionKey, formatConnection, parseConnection} from '../../../src/config/connection.js'
import {findInventory, inventoryCandidates, loadInventory, parseHostsFile} from '../../../src/config/hosts-file.js'
import {NotFoundError} from '../../../src/errors.js'
import {inventoryYaml} from '../../../src/lab/config-files.js'
import {suite, type T} from '../../support/suite.js'
import {goodHosts} from './samples.js'

const test = suite('hosts file')

test('reads hosts and fills in defaults', () => {
  assert.equal(parseHostsFile(goodHosts, 'h'), {
    file: 'h',
    hosts: [
      {
        name: 'alpha',
        connection: {kind: 'local'},
        replication: '10.88.0.1',
        ports: {from: 9100, to: 9999},
        scratch: '/run/colo/scratch',
        images: '/var/lib/colo/images',
        bridges: [],
        forward: [],
        limits: {},
      },
      {
        name: 'beta',
        connection: {kind: 'ssh', user: 'root', address: '10.99.0.2', port: 22},
        replication: '10.88.0.2',
        ports: {from: 9100, to: 9999},
        scratch: '/run/colo/scratch',
        images: '/var/lib/colo/images',
        bridges: [],
        forward: [],
        limits: {},
      },
    ],
  })
})

test('reads what a host may say beside that', () => {
  const more = `    ports: 9000-9010
    scratch: /ram//colo/
    images: /srv
    bridges: [br0, br1.5]
    forward: [eth2]
    limits: {pairs: 4, memory: 8GiB}
    answerTimeout: 30s
`
  const beta = parseHostsFile(goodHosts + more, 'h').hosts[1]
  assert.equal(beta?.ports, {from: 9000, to: 9010})
  assert.equal([beta?.scratch, beta?.images], ['/ram/colo', '/srv'])
  assert.equal([beta?.bridges, beta?.forward], [['br0', 'br1.5'], ['eth2']])
  assert.equal(beta?.limits, {pairs: 4, memoryBytes: 8 * 1024 ** 3})
  assert.is(beta?.answerTimeoutMs, 30_000)
})

test('an inventory may be empty, and the lab writes a good one', () => {
  assert.equal(parseHostsFile('apiVersion: colo/v1\nkind: Hosts\nhosts: {}\n', 'h').hosts, [])
  assert.equal(
    parseHostsFile(inventoryYaml('alpha'), 'h').hosts.map((host) => host.name),
    ['alpha', 'beta', 'gamma'],
  )
})

test('connections are read and written', () => {
  for (const text of [
    'local',
    'ssh://beta',
    'ssh://root@beta:2222',
    'ssh://root@[2001:db8::1]:22',
    'ssh://[2001:db8::1]',
  ]) {
    const connection = parseConnection(text)
    assert.ok(connection.ok, text)
    assert.is(formatConnection(connection.value), text)
  }
  const key = (text: string): string => {
    const connection = parseConnection(text)
    return connection.ok ? connectionKey(connection.value) : text
  }
  assert.is(key('ssh://root@Beta'), key('ssh://beta:22'))
  assert.is(key('ssh://[2001:DB8:0::1]'), key('ssh://a@[2001:db8::1]'))
  assert.is.not(key('ssh://beta'), key('ssh://beta:23'))
})

test('nothing that ssh could take for an option gets through', () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom('-', '-o', '@', ':', ' ', '\n', '\0', 'ProxyCommand=', '[', ']', 'a', '22'),
  )
  fc.assert(
    fc.property(fc.array(piece, {maxLength: 6}), (pieces) => {
      const connection = parseConnection(`ssh://${pieces.join('')}`)
      if (!connection.ok || connection.value.kind !== 'ssh') return
      const {user, address, port} = connection.value
      assert.match(user ?? 'u', /^\w[\w.-]*$/)
      assert.match(address, /^[a-z0-9:][a-z0-9._:-]*$/)
      assert.ok(port === undefined || (port > 0 && port < 65_536))
    }),
  )
})

test('the inventory: flag before variable before files', () => {
  const env = {COLO_HOSTS: '/v', XDG_CONFIG_HOME: '/x'}
  const paths = (source: Parameters<typeof inventoryCandidates>[0]): readonly string[] =>
    inventoryCandidates(source).map(({path}) => path)
  assert.equal(paths({flag: '/f', env, home: '/h'}), ['/f'])
  assert.equal(paths({env, home: '/h'}), ['/v'])
  assert.equal(paths({env: {...env, COLO_HOSTS: ''}, home: '/h'}), ['/x/colo/hosts.yaml', '/etc/colo/hosts.yaml'])
  assert.equal(paths({env: {XDG_CONFIG_HOME: 'relative'}, home: '/h'})[0], '/h/.config/colo/hosts.yaml')
})

async function temporary(t: T): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'colo-'))
  t.defer(() => rm(dir, {recursive: true}))
  return dir
}

test('loads the first file that exists, and says where it looked', async (t) => {
  const home = await temporary(t)
  const file = join(home, '.config/colo/hosts.yaml')
  const failure = (flag: string): Promise<unknown> =>
    loadInventory({flag, env: {}, home}).catch((error: unknown) => error)
  const missing = await failure(join(home, 'none.yaml'))
  assert.instance(missing, NotFoundError)
  assert.match(String(missing), /none\.yaml, named by --hosts, does not exist/)
  assert.equal(await findInventory({flag: '/none', env: {}, home}), {path: '/none', text: undefined})

  await mkdir(dirname(file), {recursive: true})
  await writeFile(file, goodHosts)
  const inventory = await loadInventory({env: {}, home})
  assert.is(inventory.file, file)
  assert.is(inventory.hosts.length, 2)
  assert.equal(await findInventory({env: {}, home}), {path: file, text: goodHosts})
})

test.run()
