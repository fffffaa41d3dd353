import {layoutOfPair, type PairIdentity} from '../pair/identity.js'
import type {PairLayout} from '../pair/layout.js'
import {lifecycleOf} from '../pair/lifecycle.js'
import type {Generation} from '../pair/record.js'
import {primaryAlone} from './parts/detach.js'
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
  /** both copies live: a checkpoint first, so that nothing is lost and the answers are alike */
  readonly planned: boolean
  /** this side holds the generation already, from a run that was cut off: the loser stays fenced whatever happens */
  readonly granted?: true
  /** finishing a promotion after which the overlays are still being merged */
  readonly committing?: true
}

/**
 * One side goes on as the only one, in a new generation.
 *
 * Order (S1-S5): fence the loser where its host can be reached, then the fsynced `alone` record (the point of no return), then the
 * release. What the loser had is ended only after the survivor runs.
 */
export function planFailover(input: FailoverInput): Plan {
  const {identity, to, from, generation} = input
  const layout = layoutOfPair(identity)
  return {
    id: input.planId,
    kind: 'failover',
    pair: identity.spec.name,
    title: `fail over ${identity.spec.name} to ${to}`,
    finish: `colo pair failover ${identity.spec.name} --to ${to}`,
    pointOfNoReturn: `${to}/alone`,
    steps: [
      ...(input.planned ? [checkpointFirst(input)] : []),
      ...(input.loserReachable ? [fence(layout, from, input.granted === true)] : []),
      ...(input.role === 'secondary' ? promote(input, layout) : primaryAlone({layout, primary: to, generation})),
      ...(input.committing === true && input.role === 'primary' ? [followCommit(to)] : []),
      ...(input.loserReachable ? endLoser(layout, from) : []),
    ],
  }
}

function checkpointFirst(input: FailoverInput): Step {
  const {intervalMs} = input.identity.spec.checkpoint
  return step(input.from, 'level', 'bring the secondary level', [{kind: 'checkpoint', intervalMs, timeoutMs: 30_000}])
}

function fence(layout: PairLayout, loser: string, isFinal: boolean): Step {
  const options = isFinal ? {} : {undo: network.taps(layout, 'up')}
  return step(loser, 'fence', 'let the loser say nothing more', network.taps(layout, 'down'), options)
}

/** The secondary becomes the only copy. The truth is active over hidden over disk until QEMU's own commit ended: marked first. */
function promote({identity, to, generation}: FailoverInput, layout: PairLayout): Step[] {
  const instances: YankInstance[] = [
    ...network.linksToPeer(layout).map((id): YankInstance => ({type: 'chardev', id})),
    {type: 'migration'},
  ]
  return [
    step(to, 'alone', 'note that this side goes on alone', [
      {
        kind: 'record-change',
        change: {
          role: 'primary',
          generation,
          alone: true,
          wasProtected: false,
          marks: {incomplete: {why: 'commit', detail: 'the overlays are being merged into the disk'}},
        },
      },
    ]),
    step(to, 'promote', 'take over', [
      {kind: 'yank', instances},
      {kind: 'nbd-server', ensure: 'absent'},
      ...network.heard(layout, to),
      ...network.noSecondaryFilters(layout),
      {kind: 'lost-heartbeat'},
      {kind: 'announce'},
      {kind: 'vm-await', states: ['running'], timeoutMs: 10_000},
      {kind: 'commit-follow'},
    ]),
    step(to, 'tidy', 'remove what led to the peer', [...network.noChardevs(layout), ownLifecycle(identity, layout)], {
      optional: true,
    }),
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
