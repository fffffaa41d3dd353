import assert from 'node:assert/strict'

import {performAction} from '../../../src/agent/actions/index.js'
import {readPlainDomain} from '../../../src/agent/read-domain.js'
import {ConflictError, StateError, TimedOutError} from '../../../src/errors.js'
import type {Argv} from '../../../src/os/process.js'
import {recordOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'
import {exitOf, world} from './context.js'

const test = suite('actions: the plain domain')

const uuid = '9eafb0c1-d2e3-4e5f-8a6b-7c8d9eafb016'
const xml = `<domain type='kvm'><name>shop</name><uuid>${uuid}</uuid><clock offset='variable' adjustment='0'/></domain>`

/** A libvirt that knows at most this one domain. */
interface Libvirt {
  defined: string | undefined
  state: 'running' | 'paused' | 'shut off' | undefined
  autostart: boolean
  managedSave: boolean
  snapshots: string
  /** milliseconds after `shutdown` at which the guest is off */
  offAfterMs: number
  /** somebody starts it when it is undefined */
  startedMeanwhile: boolean
}

function libvirt(change: Partial<Libvirt> = {}) {
  const made = world()
  const domain: Libvirt = {
    defined: xml,
    state: 'shut off',
    autostart: false,
    managedSave: false,
    snapshots: '',
    offAfterMs: 1000,
    startedMeanwhile: false,
    ...change,
  }
  let offAtMs: number | undefined
  made.state.answer = (argv: Argv): string => {
    const verb = argv[4] ?? ''
    if (offAtMs !== undefined && made.clock.atMs >= offAtMs) {
      domain.state = domain.defined === undefined ? undefined : 'shut off'
    }
    if (verb === 'define') {
      domain.defined = made.files.texts.get(argv[6] ?? '')
      domain.state ??= 'shut off'
      return ''
    }
    if (domain.state === undefined) throw exitOf(argv, 1, `error: failed to get domain '${argv[6] ?? ''}'`)
    switch (verb) {
      case 'dumpxml':
        return domain.defined ?? xml
      case 'domstate':
        return `${domain.state} (unknown)`
      case 'dominfo':
        return `Name:           shop\nPersistent:     ${domain.defined === undefined ? 'no' : 'yes'}\nAutostart:      ${domain.autostart ? 'enable' : 'disable'}\nManaged save:   ${domain.managedSave ? 'yes' : 'no'}`
      case 'snapshot-list':
      case 'checkpoint-list':
        return domain.snapshots
      case 'shutdown':
        if (domain.state !== 'running')
          throw exitOf(argv, 1, 'error: Requested operation is not valid: domain is not running')
        offAtMs = made.clock.atMs + domain.offAfterMs
        return ''
      case 'start':
        domain.state = 'running'
        return ''
      case 'undefine':
        if (domain.startedMeanwhile) domain.state = 'running'
        domain.defined = undefined
        domain.autostart = false
        if (domain.state === 'shut off') domain.state = undefined
        return ''
      case 'autostart':
        domain.autostart = true
        return ''
      default:
        throw new Error(`not expected: ${argv.join(' ')}`)
    }
  }
  made.state.record = recordOf('primary', {origin: {domain: 'shop', uuid, host: 'alpha', xml, autostart: true}})
  const verbs = (): string[] => made.ran.map((argv) => argv[4] ?? '')
  return {...made, domain, verbs}
}

const undefine = {kind: 'domain-undefine', uuid, xml} as const
const define = {kind: 'domain-define', uuid, xml, autostart: true} as const
const shutdown = {kind: 'domain-shutdown', uuid, timeoutMs: 5000, must: true} as const

test('a guest that stands still cannot power off: refused where it must, left to what ends it in an undo', async () => {
  const {context, verbs} = libvirt({state: 'paused'})
  await assert.rejects(performAction(shutdown, context), StateError)
  assert.equal(await performAction({...shutdown, must: false}, context), 'unchanged')
  assert.ok(!verbs().includes('shutdown'))
})

test('a definition that is not in the record is not taken out of libvirt', async () => {
  const {context, state, verbs} = libvirt()
  state.record = recordOf('primary')
  await assert.rejects(performAction(undefine, context), ConflictError)
  assert.deepEqual(verbs(), [])
})

test('what was changed, started, saved or snapshotted since it was looked at stays', async () => {
  const changes: ReadonlyArray<readonly [Partial<Libvirt>, RegExp]> = [
    [{defined: xml.replace('shop', 'shop2')}, /was changed after it was looked at/],
    [{state: 'running'}, /shop is running/],
    [{managedSave: true}, /has a managed save/],
    [{snapshots: 'before\n'}, /has snapshots/],
  ]
  for (const [change, says] of changes) {
    const {context, domain, verbs} = libvirt(change)
    await assert.rejects(performAction(undefine, context), says)
    assert.ok(!verbs().includes('undefine'))
    assert.notEqual(domain.defined, undefined)
  }
})

test('a guest that set its clock meanwhile has the same definition', async () => {
  const {context, domain} = libvirt({defined: xml.replace("adjustment='0'", "adjustment='-3600'")})
  assert.equal(await performAction(undefine, context), 'changed')
  assert.equal(domain.defined, undefined)
  assert.equal(await performAction(undefine, context), 'unchanged')
})

test('started in the very moment: it is defined again with its autostart, and the import ends', async () => {
  const {context, domain} = libvirt({startedMeanwhile: true, autostart: true})
  await assert.rejects(performAction(undefine, context), /was started while it was being imported/)
  assert.equal(domain.defined, xml)
  assert.equal(domain.state, 'running')
  assert.equal(domain.autostart, true)
})

test('define brings back what is gone, leaves no file, and touches nothing that is there but the autostart', async () => {
  const {context, domain, files, verbs} = libvirt({defined: undefined, state: undefined})
  assert.equal(await performAction(define, context), 'changed')
  assert.deepEqual({defined: domain.defined, autostart: domain.autostart}, {defined: xml, autostart: true})
  assert.ok(![...files.texts.values()].includes(xml))
  assert.equal(await performAction(define, context), 'unchanged')
  assert.equal(verbs().filter((verb) => verb === 'define').length, 1)
})

test('shutdown waits until the guest is off; one that does not listen is an error, or a note', async () => {
  const listens = libvirt({state: 'running'})
  assert.equal(await performAction(shutdown, listens.context), 'changed')
  assert.equal(await performAction(shutdown, listens.context), 'unchanged')
  assert.equal(listens.verbs().filter((verb) => verb === 'shutdown').length, 1)

  const deaf = libvirt({state: 'running', offAfterMs: 1e9})
  await assert.rejects(performAction(shutdown, deaf.context), TimedOutError)
  assert.equal(await performAction({...shutdown, must: false}, deaf.context), 'unchanged')
  assert.match(deaf.notes.at(-1) ?? '', /still runs after 5 s/)
})

test('start is for one that is off', async () => {
  const {context, domain} = libvirt()
  assert.equal(await performAction({kind: 'domain-start', uuid}, context), 'changed')
  assert.equal(domain.state, 'running')
  assert.equal(await performAction({kind: 'domain-start', uuid}, context), 'unchanged')
  const gone = libvirt({defined: undefined, state: undefined})
  assert.equal(await performAction({kind: 'domain-start', uuid}, gone.context), 'unchanged')
})

test('the plain VM that still runs is never taken for the copy', async () => {
  const {context} = libvirt({state: 'running'})
  const create = {kind: 'domain-create', domain: 'web1', xml: xml.replace('shop', 'web1')} as const
  await assert.rejects(performAction(create, context), /runs as the plain VM/)
})

test('a domain is read with what an import must know, or is unknown', async () => {
  const {context} = libvirt({snapshots: 'a\nb\n', managedSave: true})
  assert.deepEqual(await readPlainDomain('shop', context.run), {
    uuid,
    state: 'shut off',
    xml,
    persistent: true,
    autostart: false,
    managedSave: true,
    snapshots: ['a', 'b'],
    checkpoints: ['a', 'b'],
  })
  assert.equal(await readPlainDomain('shop', libvirt({state: undefined}).context.run), undefined)
})

test('undefine refuses with a state error while the domain runs', async () => {
  await assert.rejects(performAction(undefine, libvirt({state: 'running'}).context), StateError)
})

test.run()
