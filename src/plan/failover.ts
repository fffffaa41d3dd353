import {layoutOfPair, type PairIdentity} from '../pair/identity.js'
import type {PairLayout} from '../pair/layout.js'
import {lifecycleOf} from '../pair/lifecycle.js'
import type {Generation, Marks} from '../pair/record.js'
import {goOnAlone, primaryAlone} from './parts/detach.js'
import * as network from './parts/network.js'
import {step} from './parts/steps.js'
import type {Action, YankInstance} from './action.js'
import type {Plan, Step} from './plan.js'

export interface FailoverInput {
  readonly planId: string
  readonly identity: PairIdentity
  readonly to: string
  readonly from: string
  /** role of `to` before: a secondary is promoted, a primary goes on alone */
  readonly role: 'primary' | 'secondary'
  readonly generation: Generation
  /** the other side's agent answers: it is fenced before, and its copy ended after */
  readonly loserReachable: boolean
  /**
   * Both copies live: a checkpoint first, then the secondary is let go behind taps that are down, and only when it runs it gets the
   * generation. Until then the old primary can go on instead, in this other new generation.
   */
  readonly planned?: {readonly otherwise: Generation}
  /** the old primary is really ended first, as if its host had died: a test of what happens then */
  readonly test?: true
  /** this side holds the generation already, from a run that was cut off: the loser stays fenced whatever happens */
  readonly granted?: true
  /** finishing a promotion after which the overlays are still being merged */
  readonly committing?: true
}

/**
 * One side goes on as the only one, in a new generation.
 *
 * Order (S1-S5): fence the loser where its host can be reached, then the fsynced `alone` record (the point of no return), then the
 * release. What the loser had is ended only after the survivor runs. A planned one confirms that the survivor runs before the record
 * (decision 18).
 */
export function planFailover(input: FailoverInput): Plan {
  const {identity, to, from} = input
  const layout = layoutOfPair(identity)
  return {
    id: input.planId,
    kind: input.test === true ? 'test-failover' : 'failover',
    pair: identity.spec.name,
    title:
      input.test === true
        ? `test the failover of ${identity.spec.name}: end ${from}, go on on ${to}`
        : `fail over ${identity.spec.name} to ${to}`,
    finish: `colo pair failover ${identity.spec.name} --to ${to}`,
    pointOfNoReturn: input.test === true ? `${from}/die` : `${to}/alone`,
    steps: [
      ...(input.planned === undefined && input.test !== true ? [] : [checkpointFirst(input)]),
      ...(input.test === true ? [die(layout, from)] : []),
      ...(input.loserReachable && input.test !== true ? [fence(layout, input)] : []),
      ...takeOver(layout, input),
      ...(input.committing === true && input.role === 'primary' ? [followCommit(to)] : []),
      ...(input.loserReachable ? endLoser(layout, from) : []),
    ],
  }
}

function checkpointFirst(input: FailoverInput): Step {
  const {intervalMs} = input.identity.spec.checkpoint
  return step(input.from, 'level', 'bring the secondary level', [{kind: 'checkpoint', intervalMs, timeoutMs: 30_000}])
}

/** What a failover is for. The checkpoint before it proved that the secondary can take over. */
function die(layout: PairLayout, primary: string): Step {
  return step(primary, 'die', 'end the primary', [{kind: 'domain-destroy', domain: layout.domain}])
}

function fence(layout: PairLayout, {from, role, granted, planned}: FailoverInput): Step {
  return step(from, 'fence', 'let the loser say nothing more', network.taps(layout, 'down'), {
    ...(granted === true || role === 'primary' ? {} : {undo: unfence(layout, from, planned?.otherwise)}),
  })
}

/**
 * The old primary is heard again. When the secondary may have left lock-step, that takes a generation of its own: whatever the other side
 * holds by then is older, or shows as split-brain, and never passes for the same.
 */
function unfence(layout: PairLayout, primary: string, generation: Generation | undefined): Action[] {
  return generation === undefined ? network.taps(layout, 'up') : goOnAlone({layout, primary, generation})
}

function takeOver(layout: PairLayout, {identity, to, role, generation, planned}: FailoverInput): Step[] {
  if (role === 'primary') return primaryAlone({layout, primary: to, generation})
  const tidy = step(
    to,
    'tidy',
    'remove what led to the peer',
    [...network.noChardevs(layout), ownLifecycle(identity, layout)],
    {optional: true},
  )
  return planned === undefined
    ? [alone(to, generation), promote(layout, to), tidy]
    : [trial(layout, to), alone(to, generation), open(layout, to), tidy]
}

/** The truth is active over hidden over disk until QEMU's own commit ended: marked before anything is let go. */
const committing: Marks = {incomplete: {why: 'commit', detail: 'the overlays are being merged into the disk'}}

function alone(to: string, generation: Generation): Step {
  return step(to, 'alone', 'note that this side goes on alone', [
    {
      kind: 'record-change',
      change: {role: 'primary', generation, alone: true, wasProtected: false, marks: committing},
    },
  ])
}

/** The secondary becomes the only copy. */
function promote(layout: PairLayout, to: string): Step {
  return step(to, 'promote', 'take over', [
    ...cutOff(layout),
    ...network.heard(layout, to),
    ...network.noSecondaryFilters(layout),
    // before QEMU's commit begins: until its end is noted, a death of QEMU would have old overlays merged over newer writes
    {kind: 'commit-follow'},
    {kind: 'lost-heartbeat'},
    {kind: 'announce'},
    {kind: 'vm-await', states: ['running'], timeoutMs: 10_000},
  ])
}

/**
 * The same behind taps that stay down: nobody hears the new guest, so that all of it can be taken back until the grant. What is left then
 * is a copy that went its own way; it is worth nothing before it was copied again.
 */
function trial(layout: PairLayout, to: string): Step {
  const spent: Marks = {incomplete: {why: 'resync', detail: 'its promotion was taken back; the other side went on'}}
  return step(
    to,
    'trial',
    'let the new primary run, unheard',
    [
      ...network.taps(layout, 'down'),
      {kind: 'record-change', change: {marks: committing}},
      ...cutOff(layout),
      ...network.noSecondaryFilters(layout),
      {kind: 'lost-heartbeat', unheard: true},
      {kind: 'vm-await', states: ['running'], timeoutMs: 10_000},
    ],
    {undo: [{kind: 'record-change', change: {marks: spent}}]},
  )
}

/** It holds the generation and runs: from here on it is heard. */
function open(layout: PairLayout, to: string): Step {
  return step(to, 'open', 'let the new primary be heard', [
    {kind: 'commit-follow'}, // when it is over already that is noted before the guest's next write is acknowledged
    ...network.heard(layout, to),
    {kind: 'announce'},
    {kind: 'vm-await', states: ['running'], timeoutMs: 10_000},
  ])
}

/** Nothing waits for the old primary any more (S3), and it writes here no more. */
function cutOff(layout: PairLayout): Action[] {
  const instances: YankInstance[] = [
    ...network.linksToPeer(layout).map((id): YankInstance => ({type: 'chardev', id})),
    {type: 'migration'},
  ]
  return [
    {kind: 'yank', instances},
    {kind: 'nbd-server', ensure: 'absent'},
  ]
}

/** A secondary is reset when its guest ends; now the guest's end counts again. */
function ownLifecycle(identity: PairIdentity, {domain}: PairLayout): Action {
  return {kind: 'lifecycle', domain, ...lifecycleOf(identity.spec.vm, 'primary')}
}

function followCommit(to: string): Step {
  return step(to, 'commit', 'follow the merge of the overlays', [{kind: 'commit-follow'}])
}

/** The loser's record first, then its copy. It may be hung: libvirt ends it all the same. */
function endLoser(layout: PairLayout, loser: string): Step[] {
  return [
    step(loser, 'stale', 'note that this copy is stale', [
      {
        kind: 'record-change',
        change: {role: 'secondary', alone: false, marks: {stale: 'the other side went on alone'}},
      },
    ]),
    step(
      loser,
      'end',
      'end the loser',
      [{kind: 'domain-destroy', domain: layout.domain}, ...network.noTapFilters(layout)],
      {optional: true},
    ),
  ]
}
