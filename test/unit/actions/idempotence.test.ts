import assert from 'node:assert/strict'
import {performAction} from '../../../src/agent/actions/index.js'
import type {Action} from '../../../src/plan/action.js'
import {recordOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'
import {exitOf, world, type World} from './context.js'

const test = suite('actions: performed twice')

interface Case {
  readonly action: Action
  readonly before?: (world: World) => void
  /** when it cannot know that it was there already */
  readonly second?: 'changed'
  /** commands that QEMU refuses since it was there already; they change nothing */
  readonly refused?: readonly string[]
}

const mirror = {job: 'resync0', quorum: 'colo-disk0', target: 'nbd0'}
const uuid = '11111111-2222-4333-8444-555555555555'
const xml = `<domain><name>web1</name><uuid>${uuid}</uuid></domain>`

/** virsh with one domain, which may be there. */
function virsh(there: boolean): (world: World) => void {
  return ({state}) => {
    let exists = there
    state.answer = (argv) => {
      if (argv.includes('create')) exists = true
      else if (!exists) throw exitOf(argv, 1, "error: failed to get domain 'web1'")
      else if (argv.includes('destroy')) exists = false
      else if (argv.includes('domstate')) return 'running (booted)\n'
      else if (argv.includes('dumpxml')) return `${xml}<!-- /run/colo/pairs/web1/agent.qmp -->`
      return undefined
    }
  }
}

const poweredOn: (world: World) => void = ({state, session}) => {
  state.record = recordOf('primary')
  session.on({system_powerdown: () => undefined, quit: () => undefined})
}

const qemuImg: (world: World) => void = ({state, files}) => {
  state.answer = (argv) => {
    if (argv[1] === 'create') files.texts.set(argv.at(-2) ?? '', 'an image')
    return JSON.stringify({format: 'qcow2', 'virtual-size': 65_536})
  }
}

const cases: readonly Case[] = [
  {action: {kind: 'directory', path: '/run/colo/pairs/web1', mode: 0o750, owner: 'qemu'}},
  {action: {kind: 'image-own', path: '/img/a'}, before: ({files}) => files.texts.set('/img/a', 'an image')},
  {action: {kind: 'directory-remove', path: '/run/x'}, before: ({files}) => files.texts.set('/run/x', undefined)},
  {action: {kind: 'file-remove', path: '/run/x/y'}, before: ({files}) => files.texts.set('/run/x/y', 'text')},
  {
    action: {kind: 'image-create', path: '/img/a.qcow2', format: 'qcow2', sizeBytes: 65_536, existing: 'keep'},
    before: qemuImg,
  },
  {action: {kind: 'domain-create', domain: 'web1', xml}, before: virsh(false)},
  {action: {kind: 'domain-destroy', domain: 'web1'}, before: virsh(true)},
  {
    action: {kind: 'quorum-child-add', quorum: 'colo-disk0', node: 'nbd0'},
    before: ({model}) => model.nodes.add('nbd0'),
  },
  {action: {kind: 'power-off', how: 'button', timeoutMs: 1000}, before: poweredOn},
  {action: {kind: 'power-off', how: 'cut', timeoutMs: 1000}, before: poweredOn},
  {
    action: {
      kind: 'stop-follow',
      domain: 'web1',
      images: [{disk: 'root', path: '/img/a.qcow2'}],
      timeoutMs: 1000,
    },
    before: (world) => {
      virsh(true)(world)
      world.files.texts.set('/img/a.qcow2', 'an image')
      world.state.record = recordOf('secondary')
    },
  },
  {
    action: {kind: 'lifecycle', domain: 'web1', poweroff: 'destroy', reboot: 'restart'},
    before: ({state}) => {
      let poweroff = 'restart'
      state.answer = (argv) => {
        if (argv.includes('set-lifecycle-action') && argv.includes('poweroff')) poweroff = argv.at(-2) ?? ''
        return `<on_poweroff>${poweroff}</on_poweroff><on_reboot>restart</on_reboot>`
      }
    },
  },
  {
    action: {kind: 'vm-continue'},
    before: ({model}) => {
      Object.assign(model, {running: false, status: 'prelaunch'})
    },
  },
  {
    action: {kind: 'nbd-server', ensure: 'present', address: '10.88.0.2', port: 9102, maxConnections: 2},
    second: 'changed', // nothing is exported, so an old server with another address cannot be told from this one
    refused: ['nbd-server-start'],
  },
  {
    action: {kind: 'nbd-server', ensure: 'absent'},
    before: ({model}) => {
      model.nbdServer = true
    },
    refused: ['nbd-server-stop'],
  },
  {action: {kind: 'export', id: 'export0', node: 'parent0', name: 'parent0'}},
  {
    action: {
      kind: 'nbd-node',
      ensure: 'present',
      node: 'nbd0',
      address: '10.88.0.2',
      port: 9102,
      exportName: 'parent0',
    },
  },
  {action: {kind: 'nbd-node', ensure: 'absent', node: 'nbd0'}, before: ({model}) => model.nodes.add('nbd0')},
  {
    action: {kind: 'quorum-child-remove', quorum: 'colo-disk0', child: 'children.1'},
    before: ({model}) => {
      model.nodes.add('nbd0')
      model.children.get('colo-disk0')?.set('children.1', 'nbd0')
    },
  },
  {action: {kind: 'mirrors', disks: [mirror], timeoutMs: 1000}, before: ({model}) => model.nodes.add('nbd0')},
  {
    action: {kind: 'mirrors-finish', disks: [mirror]},
    before: ({model}) => {
      model.nodes.add('nbd0')
      model.jobs.set('resync0', {id: 'resync0', status: 'ready', device: 'colo-disk0', target: 'nbd0'})
    },
  },
  {
    action: {kind: 'mirrors-abort', disks: [mirror]},
    before: ({model}) =>
      model.jobs.set('resync0', {id: 'resync0', status: 'running', device: 'colo-disk0', target: 'nbd0'}),
  },
  {
    action: {
      kind: 'chardev',
      ensure: 'present',
      id: 'nic0-mirror-link',
      backend: {type: 'tcp-server', address: '10.88.0.1', port: 9103},
    },
  },
  {
    action: {kind: 'chardev', ensure: 'present', id: 'c', backend: {type: 'unix-client', path: '/run/c.sock'}},
  },
  {
    action: {kind: 'chardev', ensure: 'absent', id: 'c'},
    before: ({model}) => model.chardevs.set('c', 'unix:/run/c.sock'),
  },
  {
    action: {
      kind: 'object',
      ensure: 'present',
      id: 'nic0-mirror',
      type: 'filter-mirror',
      properties: {netdev: 'hostnet0', queue: 'tx', outdev: 'nic0-mirror-link', status: 'off'},
      before: 'nic0-rewriter',
    },
  },
  {
    action: {kind: 'object', ensure: 'absent', id: 'io'},
    before: ({model}) => model.objects.set('io', {'qom-type': 'iothread'}),
  },
  {
    action: {kind: 'object-set', id: 'nic0-compare', property: 'compare_timeout', value: 500},
    before: ({model}) => model.objects.set('nic0-compare', {'qom-type': 'colo-compare', compare_timeout: 3000}),
  },
  {
    action: {kind: 'tap', tap: 'co525400000010', state: 'down'},
    before: ({files}) => files.texts.set('/sys/class/net/co525400000010/flags', '0x1003\n'),
  },
  {action: {kind: 'colo-capabilities', side: 'primary'}},
  {action: {kind: 'colo-capabilities', side: 'secondary'}},
  {action: {kind: 'incoming', address: '10.88.0.2', port: 9101}},
  {
    action: {
      kind: 'migrate',
      guest: 'runs',
      address: '10.88.0.2',
      port: 9101,
      intervalMs: 1000,
      filtersOn: ['f'],
      timeoutMs: 60_000,
    },
    before: ({clock, model}) => {
      model.objects.set('f', {'qom-type': 'filter-mirror', status: 'off'})
      clock.onPass = () => {
        if (model.migration['status'] === 'active') model.migration = {status: 'pre-switchover'}
      }
    },
  },
  {
    action: {kind: 'migrate-cancel'},
    before: ({model}) => {
      model.migration = {status: 'active'}
    },
  },
  {
    action: {kind: 'yank', instances: [{type: 'chardev', id: 'c'}, {type: 'migration'}]},
    before: ({model}) => {
      model.yankable = [
        {type: 'chardev', id: 'compat_monitor0'},
        {type: 'chardev', id: 'c'},
      ]
    },
  },
  {
    action: {kind: 'lost-heartbeat'},
    before: ({model}) => {
      model.colo = {mode: 'secondary', 'last-mode': 'none', reason: 'none'}
    },
  },
  {action: {kind: 'record-create', record: recordOf('primary')}},
  {
    action: {kind: 'record-change', change: {alone: true, marks: {stale: 'x'}}},
    before: ({state}) => {
      state.record = recordOf('primary')
    },
  },
  {
    action: {kind: 'record-images', images: [{disk: 'root', path: '/img/a'}]},
    before: ({state, files}) => {
      state.record = recordOf('primary')
      files.texts.set('/img/a', 'x')
    },
  },
  {
    action: {kind: 'record-remove'},
    before: ({state}) => {
      state.record = recordOf('primary')
    },
  },
]

for (const {action, before, second = 'unchanged', refused = []} of cases) {
  const title = 'ensure' in action ? `${action.kind} ${action.ensure}` : action.kind
  test(`${title} changes once`, async () => {
    const made = world()
    before?.(made)
    assert.equal(await performAction(action, made.context), 'changed')
    const [sent, ran] = [made.session.changes.length + made.yankSession.changes.length, made.ran.length]
    assert.equal(await performAction(action, made.context), second)
    if (second === 'changed') return
    const again = [...made.session.changes, ...made.yankSession.changes].slice(sent)
    assert.deepEqual(again, refused)
    const looks = ['info', 'domstate', 'dumpxml', 'getent']
    for (const argv of made.ran.slice(ran))
      assert.ok(
        argv.some((word) => looks.includes(word)),
        argv.join(' '),
      )
  })
}

test('an nbd server with exports is the wished-for one', async () => {
  const {context, model} = world()
  const server = {kind: 'nbd-server', ensure: 'present', address: '10.88.0.2', port: 9102, maxConnections: 2} as const
  assert.equal(await performAction(server, context), 'changed')
  model.exports.set('export0', '#block070')
  assert.equal(await performAction(server, context), 'unchanged')
  assert.equal(model.exports.size, 1)
})

test('a chardev of another kind is replaced', async () => {
  const {context, model, session} = world()
  model.chardevs.set('nic0-mirror-link', 'tcp:10.88.0.2:40000 <-> 10.88.0.1:9103')
  const server = {type: 'tcp-server', address: '10.88.0.2', port: 9103} as const
  const action = {kind: 'chardev', ensure: 'present', id: 'nic0-mirror-link', backend: server} as const
  assert.equal(await performAction(action, context), 'changed')
  assert.deepEqual(session.changes, ['chardev-remove', 'chardev-add'])
})

test('a filter goes before another one only when that exists', async () => {
  const {context, model, session} = world()
  const filter = (id: string): Action => ({
    kind: 'object',
    ensure: 'present',
    id,
    type: 'filter-mirror',
    properties: {netdev: 'hostnet0', outdev: 'c'},
    before: 'nic0-rewriter',
  })
  await performAction(filter('first'), context)
  model.objects.set('nic0-rewriter', {'qom-type': 'filter-rewriter'})
  await performAction(filter('second'), context)
  const added = session.sent.filter(({command}) => command === 'object-add').map(({args}) => args['position'])
  assert.deepEqual(added, [undefined, 'id=nic0-rewriter'])
})

test('chardev-await waits for all, and says for what', async () => {
  const {context, model, clock} = world()
  model.chardevs.set('a', 'tcp:1.2.3.4:1,server=on <-> 1.2.3.5:2').set('b', 'disconnected:tcp:1.2.3.4:2,server=on')
  const action = {kind: 'chardev-await', ids: ['a', 'b'], timeoutMs: 2000} as const
  await assert.rejects(() => performAction(action, context), /waited 2 s for the peer to connect to a, b/)
  clock.onPass = () => model.chardevs.set('b', 'tcp:1.2.3.4:2,server=on <-> 1.2.3.5:3')
  assert.equal(await performAction(action, context), 'unchanged')
  await assert.rejects(() => performAction({...action, ids: ['c']}, context), /no chardev c/)
})

test.run()
