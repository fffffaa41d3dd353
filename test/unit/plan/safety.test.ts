import * as assert from 'uvu/assert'
import {firstGeneration, nextGeneration} from '../../../src/pair/generation.js'
import {identityOf} from '../../../src/pair/identity.js'
import type {Action} from '../../../src/plan/action.js'
import {planCreate} from '../../../src/plan/create.js'
import {planDestroy} from '../../../src/plan/destroy.js'
import {planFailover, type FailoverInput} from '../../../src/plan/failover.js'
import type {Plan} from '../../../src/plan/plan.js'
import {planResync, type ResyncInput} from '../../../src/plan/resync.js'
import {planStart} from '../../../src/plan/start.js'
import {recordOf, specOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'

const test = suite('plans keep the safety rules')
const identity = identityOf(recordOf('primary'))
const generation = firstGeneration('gen-1')
const next = nextGeneration(generation, 'gen-2')
const xml = (role: string, host: string) => `<domain role='${role}' host='${host}'/>`

const planned = {otherwise: nextGeneration(generation, 'gen-otherwise')}

const failover = (change: Partial<FailoverInput> = {}) =>
  planFailover({
    planId: 'p',
    identity,
    to: 'beta',
    from: 'alpha',
    role: 'secondary',
    generation: next,
    loserReachable: true,
    ...change,
  })
const resync = (change: Partial<ResyncInput> = {}) =>
  planResync({
    planId: 'p',
    identity,
    primary: 'alpha',
    secondary: 'beta',
    generation,
    detachFirst: false,
    primaryWasSecondary: true,
    secondaryKnown: true,
    xml,
    nowMs: 0,
    ...change,
  })
const create = planCreate({planId: 'p', identity, generation, xml, freshSecondaryImages: true, nowMs: 0})
const destroyed = {planId: 'p', identity, keep: 'alpha', hosts: ['alpha', 'beta'], deleteCopies: true} as const
const destroy = planDestroy(destroyed)
const start = planStart({
  accepted: [],
  planId: 'p',
  identity,
  host: 'beta',
  peer: 'alpha',
  generation: next,
  mergeOverlays: true,
  xml,
})

/** The same pair with kernel forwarding. */
const forwarded = identityOf(
  recordOf('primary', {
    spec: specOf({
      nics: specOf().nics.map((nic, index) => ({...nic, forward: {via: 'tc', nic: {same: `fwd${index}`}}})),
    }),
  }),
)
const forwardedCreate = planCreate({
  planId: 'p',
  identity: forwarded,
  generation,
  xml,
  freshSecondaryImages: true,
  nowMs: 0,
})

const every: ReadonlyArray<readonly [string, Plan]> = [
  ['create', create],
  ['failover to the secondary', failover()],
  ['failover, loser unreachable', failover({loserReachable: false})],
  ['failover to the primary', failover({to: 'alpha', from: 'beta', role: 'primary'})],
  ['planned failover', failover({planned})],
  ['resync', resync()],
  ['resync with detach', resync({detachFirst: true})],
  ['destroy', destroy],
  ['start', start],
  ['create with tc', forwardedCreate],
  ['failover with tc', failover({identity: forwarded})],
  ['resync with tc', resync({identity: forwarded, detachFirst: true})],
]

for (const [name, plan] of every) {
  test(`${name}: step ids are unique and the point of no return exists`, () => {
    const ids = plan.steps.map(({id}) => id)
    assert.is(new Set(ids).size, ids.length, ids.join(' '))
    if (plan.pointOfNoReturn !== undefined) assert.ok(ids.includes(plan.pointOfNoReturn))
  })

  test(`${name}: output is released only after the fsynced alone record (S1, S4)`, () => {
    const releases = positions(plan, (action) => action.kind === 'lost-heartbeat' && action.unheard !== true)
    for (const {host, at} of releases) {
      const alone = positions(plan, (action) => action.kind === 'record-change' && action.change.alone === true)
      assert.ok(
        alone.some((each) => each.host === host && each.at < at),
        `${host} releases before its record`,
      )
    }
  })

  test(`${name}: a copy is marked incomplete before anything of it is overwritten`, () => {
    const mirrors = positions(plan, (action) => action.kind === 'mirrors')
    for (const {at} of mirrors) {
      const marked = positions(plan, forbidsSecondary)
      assert.ok(marked.some((each) => each.at < at))
    }
  })

  test(`${name}: marks that forbid are cleared only after a completed checkpoint`, () => {
    const cleared = positions(plan, (action) => action.kind === 'record-change' && action.change.wasProtected === true)
    const [checkpoint] = positions(plan, (action) => action.kind === 'checkpoint').slice(-1)
    for (const {at} of cleared) assert.ok(checkpoint !== undefined && checkpoint.at < at)
  })
}

test('a loser that can be reached is fenced before the grant and ended after the survivor runs', () => {
  const plan = failover()
  const [fence] = positions(plan, (action) => action.kind === 'tap' && action.state === 'down')
  const [grant] = positions(plan, (action) => action.kind === 'record-change')
  const [running] = positions(plan, (action) => action.kind === 'vm-await')
  const [ended] = positions(plan, (action) => action.kind === 'domain-destroy')
  assert.ok(fence && grant && running && ended)
  assert.ok(fence.at < grant.at && grant.at < running.at && running.at < ended.at)
  assert.is(ended.host, 'alpha')
})

test('a planned failover lets the secondary run unheard, and it is heard only after its grant (S1)', () => {
  const plan = failover({planned})
  const [fence] = positions(plan, (action) => action.kind === 'tap' && action.state === 'down')
  const [mark] = positions(plan, (action) => action.kind === 'record-change' && action.change.marks !== undefined)
  const [unheard] = positions(plan, (action) => action.kind === 'lost-heartbeat' && action.unheard === true)
  const [runs] = positions(plan, (action) => action.kind === 'vm-await')
  const [grant] = positions(plan, (action) => action.kind === 'record-change' && action.change.alone === true)
  const [heard] = positions(plan, (action) => action.kind === 'tap' && action.state === 'up')
  const [stale] = positions(
    plan,
    (action) => action.kind === 'record-change' && action.change.marks?.stale !== undefined,
  )
  const [ended] = positions(plan, (action) => action.kind === 'domain-destroy')
  const order = [fence, mark, unheard, runs, grant, heard, stale, ended].map((each) => each?.at ?? Number.NaN)
  assert.equal(
    order,
    [...order].sort((a, b) => a - b),
  )
  assert.equal(
    [fence?.host, unheard?.host, grant?.host, heard?.host, ended?.host].join(' '),
    'alpha beta beta beta alpha',
  )
})

test('taken back, a planned failover forbids the copy on trial first, and the old primary never gets the same generation', () => {
  const plan = failover({planned})
  const begun = plan.steps
    .slice(
      0,
      plan.steps.findIndex(({id}) => id === plan.pointOfNoReturn),
    )
    .reverse()
  const undo = begun.flatMap(({host, undo = []}) => undo.map((action) => ({host, action})))
  const [first, second] = undo
  assert.ok(first?.action.kind === 'record-change' && second?.action.kind === 'record-change')
  assert.is(first.host, 'beta')
  assert.is(first.action.change.marks?.incomplete?.why, 'resync')
  assert.is(second.host, 'alpha')
  assert.is(second.action.change.alone, true)
  assert.is(second.action.change.generation?.id, 'gen-otherwise')
  const released = undo.findIndex(({action}) => action.kind === 'lost-heartbeat')
  assert.ok(undo.findIndex(({action}) => action.kind === 'tap' && action.state === 'up') > released && released > 1)
})

test('the fence of a loser is not taken back when the other side was granted by an earlier run (S1)', () => {
  const undoOf = (plan: Plan) => plan.steps.find(({id}) => id === 'alpha/fence')?.undo ?? []
  assert.is(undoOf(failover()).length, 2)
  assert.is(undoOf(failover({granted: true})).length, 0)
  assert.is(undoOf(failover({granted: true, planned})).length, 0)
})

test('a promoted secondary is marked as committing in the same write as its grant', () => {
  const grant = failover().steps.find(({id}) => id === 'beta/alone')?.actions[0]
  assert.ok(grant?.kind === 'record-change')
  assert.is(grant.change.marks?.incomplete?.why, 'commit')
  assert.is(grant.change.alone, true)
})

test('everything that may hang is yanked first (S3)', () => {
  const plan = failover({to: 'alpha', from: 'beta', role: 'primary', loserReachable: false})
  const [yank] = positions(plan, (action) => action.kind === 'yank')
  const [block] = positions(plan, (action) => action.kind === 'quorum-child-remove')
  assert.ok(yank && block && yank.at < block.at)
})

test('the taps of a secondary are down before it may run, and up only after its grant', () => {
  const down = positions(create, (action) => action.kind === 'tap' && action.state === 'down')
  const [receive] = positions(create, (action) => action.kind === 'incoming')
  assert.ok(receive !== undefined && down.length > 0 && down.every(({at, host}) => host === 'beta' && at < receive.at))
  const [up] = positions(failover(), (action) => action.kind === 'tap' && action.state === 'up')
  const [grant] = positions(failover(), (action) => action.kind === 'record-change')
  assert.ok(up !== undefined && grant !== undefined && grant.at < up.at)
})

test('with tc a secondary is forwarded before it receives anything, and joins the LAN only after its grant (S1)', () => {
  const [forward] = positions(forwardedCreate, (action) => action.kind === 'forward' && isUp(action, 'secondary'))
  const [receive] = positions(forwardedCreate, (action) => action.kind === 'incoming')
  assert.ok(forward?.host === 'beta' && receive && forward.at < receive.at)
  assert.is(positions(forwardedCreate, ({kind}) => kind === 'forward-release').length, 0)
  const plan = failover({identity: forwarded})
  const [release] = positions(plan, ({kind}) => kind === 'forward-release')
  const [grant] = positions(plan, (action) => action.kind === 'record-change')
  assert.ok(release?.host === 'beta' && grant && grant.at < release.at)
})

test('with tc the frames of a secondary are taken from the wire before the guest of the primary is mirrored to it', () => {
  const [primary] = positions(forwardedCreate, (action) => action.kind === 'forward' && isUp(action, 'primary'))
  const [netdev] = positions(forwardedCreate, (action) => action.kind === 'netdev')
  const [feed] = positions(forwardedCreate, (action) => action.kind === 'object' && action.id === 'nic0-feed')
  const [migrate] = positions(forwardedCreate, (action) => action.kind === 'migrate' && action.mirrorsOn?.length === 2)
  assert.ok(primary && netdev && feed && migrate)
  assert.ok(primary.at < netdev.at && netdev.at < feed.at && feed.at < migrate.at)
  const mirrored = positions(
    forwardedCreate,
    (action) => action.kind === 'forward' && 'mirror' in action && action.mirror,
  )
  assert.is(mirrored.length, 0, 'no mirror before the switchover')
})

test('with tc every end of a copy ends its forwarding', () => {
  const plans = [failover({identity: forwarded}), planDestroy({...destroyed, identity: forwarded})]
  for (const plan of plans) {
    for (const {at, host} of positions(plan, ({kind}) => kind === 'domain-destroy')) {
      const absent = positions(plan, (action) => action.kind === 'forward' && action.ensure === 'absent')
      assert.ok(
        absent.some((each) => each.host === host && each.at > at),
        `${plan.title}: ${host}`,
      )
    }
  }
})

test('destroy removes each record last and never an image of the side that is kept', () => {
  for (const host of ['alpha', 'beta']) {
    const actions = destroy.steps.filter((each) => each.host === host).flatMap((each) => each.actions)
    assert.is(actions.at(-1)?.kind, 'record-remove')
    const removed = actions.flatMap((action) => (action.kind === 'file-remove' ? [action.path] : []))
    assert.is(
      removed.some((path) => path.startsWith('/var/lib/colo/images/')),
      host === 'beta',
    )
  }
})

test('a start merges the overlays, clears the mark, and only then removes them', () => {
  const [merge] = positions(start, (action) => action.kind === 'overlays-merge')
  const [cleared] = positions(start, (action) => action.kind === 'record-change' && action.change.marks !== undefined)
  const [removed] = positions(start, (action) => action.kind === 'file-remove')
  assert.ok(merge && cleared && removed && merge.at < cleared.at && cleared.at < removed.at)
})

test('images of the secondary are removed by undo only when the plan made them', () => {
  const undoOf = (plan: Plan) => plan.steps.find(({id}) => id === 'beta/images')?.undo ?? []
  assert.is(undoOf(create).length, 2)
  const kept = planCreate({planId: 'p', identity, generation, xml, freshSecondaryImages: false, nowMs: 0})
  assert.is(undoOf(kept).length, 0)
})

for (const [name, plan] of [
  ['create', create],
  ['resync', resync()],
] as const) {
  test(`${name}: nothing is taken back once the secondary may be promoted (S4)`, () => {
    const point = plan.steps.findIndex(({id}) => id === plan.pointOfNoReturn)
    const promotable = plan.steps.findIndex(({actions}) =>
      actions.some(
        (action) =>
          action.kind === 'record-change' && action.change.role === 'secondary' && action.change.wasProtected === true,
      ),
    )
    assert.ok(promotable >= 0)
    assert.is(point, promotable)
  })
}

test('every undo cuts the connections to a peer that may hang before it needs QEMU (S3)', () => {
  const undo = resync().steps.find(({id}) => id === 'alpha/migrate')?.undo ?? []
  assert.is(undo[0]?.kind, 'yank')
})

test('a resync first removes what one that died left on the primary, before its old secondary is ended', () => {
  const plan = resync()
  const [aborted] = positions(plan, (action) => action.kind === 'mirrors-abort')
  const [removed] = positions(plan, (action) => action.kind === 'quorum-child-remove')
  const [node] = positions(plan, (action) => action.kind === 'nbd-node' && action.ensure === 'absent')
  const [ended] = positions(plan, (action) => action.kind === 'domain-destroy')
  const [chardevs] = positions(plan, (action) => action.kind === 'chardev')
  const [objects] = positions(plan, (action) => action.kind === 'object' && action.ensure === 'absent')
  assert.ok(aborted && removed && node && ended && chardevs && objects)
  assert.ok(aborted.at < node.at && removed.at < node.at && node.at < ended.at && objects.at < chardevs.at)
})

test('a primary that goes on alone gets its taps back, and keeps the mark of a merge that goes on', () => {
  const plan = failover({to: 'alpha', from: 'beta', role: 'primary', committing: true})
  const [up] = positions(plan, (action) => action.kind === 'tap' && action.state === 'up')
  const [grant] = positions(plan, (action) => action.kind === 'record-change')
  assert.ok(up && grant && up.host === 'alpha' && grant.at < up.at)
  const changes = plan.steps.flatMap(({host, actions}) => (host === 'alpha' ? actions : []))
  assert.ok(changes.every((action) => action.kind !== 'record-change' || action.change.marks === undefined))
  assert.ok(changes.some((action) => action.kind === 'commit-follow'))
})

function forbidsSecondary(action: Action): boolean {
  if (action.kind === 'record-create') return action.record.marks.incomplete !== undefined
  return action.kind === 'record-change' && action.change.marks?.incomplete?.why === 'resync'
}

function isUp(action: Action, role: 'primary' | 'secondary'): boolean {
  return action.kind === 'forward' && action.ensure === 'present' && action.role === role
}

/** Where an action stands in a plan, counted over all actions of all steps. */
function positions(plan: Plan, matches: (action: Action) => boolean): Array<{host: string; at: number}> {
  return plan.steps
    .flatMap((step) => step.actions.map((action) => ({host: step.host, action})))
    .flatMap(({host, action}, at) => (matches(action) ? [{host, at}] : []))
}

test.run()
