import type {PairLayout} from '../../pair/layout.js'
import type {Generation, Marks} from '../../pair/record.js'
import type {Action} from '../action.js'
import type {Step} from '../plan.js'
import {yank} from './attach.js'
import * as network from './network.js'
import {step} from './steps.js'
import * as storage from './storage.js'

interface DetachInput {
  readonly layout: PairLayout
  readonly primary: string
  /** the generation in which the primary goes on alone */
  readonly generation: Generation
  /** all marks it has from then on; as they are unless told */
  readonly marks?: Marks
}

/**
 * The primary goes on alone. The record comes first: nothing releases its output before this side holds the new generation
 * (S1, S4). Then yank, so that no block command waits for a hung peer (S3). Safe to run again at any point: marks stay as they are, so
 * that a copy which still merges its overlays says so, and taps that a failover to the other side took down come up again.
 */
export function primaryAlone({layout, primary, generation, marks}: DetachInput): Step[] {
  return [
    step(primary, 'alone', 'note that this side goes on alone', [grant(generation, marks)]),
    step(primary, 'release', 'let the guest go on', release(layout, primary)),
    step(
      primary,
      'tidy',
      'remove what led to the peer',
      [...storage.noNbdNodes(layout), ...network.noChardevs(layout)],
      {
        optional: true,
      },
    ),
  ]
}

/** The same in one go, as the undo of a step. */
export function goOnAlone({layout, primary, generation}: DetachInput): Action[] {
  return [grant(generation), ...release(layout, primary)]
}

function grant(generation: Generation, marks?: Marks): Action {
  const kept = marks === undefined ? {} : {marks}
  return {kind: 'record-change', change: {role: 'primary', generation, alone: true, wasProtected: false, ...kept}}
}

function release(layout: PairLayout, primary: string): Action[] {
  return [
    ...yank(layout),
    ...storage.noSecondChildren(layout),
    {kind: 'lost-heartbeat'},
    ...network.noPrimaryObjects(layout),
    ...network.heard(layout, primary),
    {kind: 'vm-await', states: ['running'], timeoutMs: 10_000},
  ]
}
