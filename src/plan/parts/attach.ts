import {addressOf, allPorts, type MemberXml, type PairIdentity} from '../../pair/identity.js'
import type {PairLayout} from '../../pair/layout.js'
import type {Generation} from '../../pair/record.js'
import type {Action, Placement, YankInstance} from '../action.js'
import type {Step} from '../plan.js'
import * as network from './network.js'
import {step} from './steps.js'
import * as storage from './storage.js'

/** Limits of the long waits, in milliseconds. Disks and memory are copied at whatever rate the link has. */
export const attachLimits = {
  settle: 30_000,
  links: 20_000,
  mirrors: 12 * 3600_000,
  migrate: 3600_000,
  colo: 60_000,
  checkpoint: 60_000,
} as const

/** Who is attached to whom. */
export interface AttachInput {
  readonly identity: PairIdentity
  readonly layout: PairLayout
  readonly primary: string
  readonly secondary: string
  /** the primary's QEMU was started as a secondary and promoted later */
  readonly primaryWasSecondary: boolean
  /** the generation both are in once protected */
  readonly generation: Generation
  /** the one in which the primary goes on alone again when the record that says `protected` is taken back */
  readonly otherwise: Generation
  readonly xml: MemberXml
  /** the primary was switched on by this very plan, and its firmware looks for the disk */
  readonly boots?: 'firmware'
  /** the secondary is on another host than before: what the primary's record says of that from then on */
  readonly placement?: Placement | undefined
}

/**
 * Brings up a secondary beside a running primary: overlays, firewall, domain (paused, its taps down), export, incoming.
 *
 * The primary listens before the secondary exists: its clients then connect at their first try, and none is left on a listener that
 * was made anew behind its back (it would not notice, and nothing would be compared).
 */
export function secondaryUp(input: AttachInput): Step[] {
  const {identity, layout, primary, secondary, xml} = input
  const address = addressOf(identity, secondary)
  return [
    step(
      secondary,
      'scratch',
      'make empty overlays',
      [...storage.memberFiles(identity, layout, secondary), ...storage.freshOverlays(identity, layout, secondary)],
      {undo: storage.noOverlays(identity, layout, secondary)},
    ),
    step(secondary, 'firewall', 'open the ports to the peer only', [firewall(input, secondary, primary)], {
      undo: [{kind: 'firewall', ensure: 'absent', table: layout.firewallTable}],
    }),
    step(
      primary,
      'links',
      'listen for the secondary',
      [
        firewall(input, primary, secondary),
        ...network.primaryChardevs(identity, layout, primary),
        ...network.forwarding(layout, primary, {role: 'primary', mirror: false}),
        ...network.forwardTaps(layout),
      ],
      {undo: [...network.noChardevs(layout), {kind: 'firewall', ensure: 'absent', table: layout.firewallTable}]},
    ),
    step(
      secondary,
      'domain',
      'start the secondary',
      [
        {kind: 'domain-create', domain: layout.domain, xml: xml('secondary', secondary)},
        ...network.taps(layout, 'down'),
        ...network.tapFilters(layout),
        ...network.forwarding(layout, secondary, {role: 'secondary', mirror: false}),
      ],
      {undo: [{kind: 'domain-destroy', domain: layout.domain}, ...network.noTapFilters(layout)]},
    ),
    step(secondary, 'receive', 'export the disks and wait for the primary', [
      {kind: 'colo-capabilities', side: 'secondary'},
      ...storage.exports(identity, layout, secondary),
      {kind: 'incoming', address, port: identity.ports.migration},
    ]),
  ]
}

/**
 * Attaches that secondary to the running primary without the long freeze: mirrors, a switch of milliseconds, filters off, memory,
 * filters on at the switchover (facts: qemu-colo section 4, recipe D). Ends with a checkpoint that completed after all of it.
 */
export function attach(input: AttachInput): Step[] {
  return [...copyDisks(input), prepareComparer(input), ...enterLockStep(input)]
}

function copyDisks({identity, layout, primary, secondary}: AttachInput): Step[] {
  const mirrors = storage.mirrorsOf(layout)
  return [
    step(
      primary,
      'copy-disks',
      'copy the disks',
      [
        ...storage.nbdNodes(identity, layout, secondary),
        {kind: 'mirrors', disks: mirrors, timeoutMs: attachLimits.mirrors},
      ],
      {undo: [{kind: 'mirrors-abort', disks: mirrors}, ...storage.noNbdNodes(layout)]},
    ),
    step(primary, 'switch-disks', 'replicate every write', [{kind: 'mirrors-finish', disks: mirrors}], {
      undo: [...yank(layout), ...storage.noSecondChildren(layout)],
    }),
  ]
}

/** Filters and comparer on the primary; nothing of its traffic is held yet. */
export function prepareComparer({identity, layout, primary, primaryWasSecondary}: AttachInput): Step {
  return step(
    primary,
    'filters',
    'prepare the comparer',
    network.primaryObjects(identity, layout, {rewriter: primaryWasSecondary}),
    {undo: network.noPrimaryObjects(layout)},
  )
}

/** The memory follows while every write goes to both copies already; ends with a checkpoint that completed after all of it. */
export function enterLockStep({identity, layout, primary, secondary, boots}: AttachInput): Step[] {
  return [
    step(
      primary,
      'migrate',
      'copy the memory and enter lock-step',
      [
        ...(identity.accel === 'tcg'
          ? [
              {
                kind: 'tcg-settle',
                timeoutMs: attachLimits.settle,
                ...(boots === undefined ? {} : {boots}),
              } as const,
            ]
          : []),
        ...network.awaitLinks(layout, attachLimits.links),
        {kind: 'colo-capabilities', side: 'primary'},
        {
          kind: 'migrate',
          guest: identity.accel === 'tcg' ? 'stands-still' : 'runs',
          address: addressOf(identity, secondary),
          port: identity.ports.migration,
          intervalMs: identity.spec.checkpoint.intervalMs,
          filtersOn: network.filtersToSwitchOn(layout),
          ...network.mirrorsToSwitchOn(layout, primary),
          timeoutMs: attachLimits.migrate,
        },
      ],
      // the peer may hang: QEMU's main loop answers only when nothing waits for it any more (S3)
      {undo: [...yank(layout), {kind: 'migrate-cancel'}, {kind: 'lost-heartbeat'}, {kind: 'vm-continue'}]},
    ),
    step(secondary, 'lock-step', 'shadow the primary', [
      {kind: 'colo-await', role: 'secondary', timeoutMs: attachLimits.colo},
    ]),
    step(primary, 'checkpoint', 'complete a checkpoint', [
      {kind: 'checkpoint', intervalMs: identity.spec.checkpoint.intervalMs, timeoutMs: attachLimits.checkpoint},
    ]),
  ]
}

/**
 * The step after which nothing is taken back: from then on the secondary may be promoted, so the primary must not be let go in the
 * generation that both are in.
 */
export function promotableStep(secondary: string): string {
  return `${secondary}/promotable`
}

/** Both records say protected; the mark that forbids goes last on the side it forbids, after everything was confirmed. */
export function recordProtected(input: AttachInput): Step[] {
  const {layout, primary, secondary, generation, otherwise} = input
  return [
    step(primary, 'watch', 'watch the replication', [
      storage.recordImages(layout, primary),
      {kind: 'protection-begin'},
    ]),
    step(
      primary,
      'protected',
      'note that the pair is protected',
      [
        {
          kind: 'record-change',
          change: {
            role: 'primary',
            peer: secondary,
            generation,
            alone: false,
            wasProtected: true,
            clean: false,
            marks: {},
            ...input.placement,
          },
        },
      ],
      // its agent grants that in a new generation only, and without the grant nothing releases the output (S2)
      {undo: [{kind: 'record-change', change: {generation: otherwise, alone: true, wasProtected: false}}]},
    ),
    step(
      secondary,
      'promotable',
      'note that this copy may take over',
      [
        storage.recordImages(layout, secondary),
        {kind: 'protection-begin'},
        {
          kind: 'record-change',
          change: {
            role: 'secondary',
            peer: primary,
            generation,
            alone: false,
            wasProtected: true,
            clean: false,
            marks: {},
          },
        },
      ],
      {
        undo: [
          {
            kind: 'record-change',
            change: {marks: {incomplete: {why: 'resync', detail: 'protection was undone before it was complete'}}},
          },
        ],
      },
    ),
  ]
}

/** Everything on the primary that may wait for the secondary, by name; never the monitors' own chardevs. */
export function yank(layout: PairLayout): Action[] {
  const instances: YankInstance[] = [
    ...layout.disks.map((disk): YankInstance => ({type: 'block-node', 'node-name': disk.nbd})),
    ...network.linksToPeer(layout).map((id): YankInstance => ({type: 'chardev', id})),
    {type: 'migration'},
  ]
  return [{kind: 'yank', instances}]
}

function firewall(input: AttachInput, host: string, peer: string): Action {
  return {
    kind: 'firewall',
    ensure: 'present',
    table: input.layout.firewallTable,
    address: addressOf(input.identity, host),
    peer: addressOf(input.identity, peer),
    ports: allPorts(input.identity),
  }
}
