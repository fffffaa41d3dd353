import {addressOf, layoutOfPair, type PairIdentity} from '../../pair/identity.js'
import type {Generation} from '../../pair/record.js'
import {proxyOf} from '../../xen/layout.js'
import {receiverArgv, remusArgv, remusOptionsOf} from '../../xen/remus.js'
import {takeoverMonitorCommands} from '../../xen/xl.js'
import type {Action} from '../action.js'
import {step} from '../parts/steps.js'
import type {Step} from '../plan.js'

/** Booting, and the first copy of the memory, take minutes where the processor is emulated. */
const bootMs = 240_000
const firstCheckpointMs = 240_000
/** xl gives a guest that does not answer 60 s. */
const releaseMs = 90_000
const takeoverMs = 60_000

export interface XenSidesInput {
  readonly identity: PairIdentity
  readonly primary: string
  readonly secondary: string
  readonly generation: Generation
  /** Remus holds network output until its checkpoint: this build can */
  readonly buffering: boolean
}

/** Stands in a plan for the path of the relay's script, which only the host knows. */
const transport = 'TRANSPORT'

export function receiveArgvOf({spec}: PairIdentity): readonly [string, ...string[]] {
  return receiverArgv({mode: spec.mode, proxy: proxyOf({spec})})
}

/** From one guest that runs to a checkpoint on the other side: relay, `xl remus`, first whole checkpoint. Each step can be taken back. */
export function protect(input: XenSidesInput): Step[] {
  const {identity, primary, secondary, buffering} = input
  const {spec, ports} = identity
  const layout = layoutOfPair(identity)
  const [here, there] = [addressOf(identity, primary), addressOf(identity, secondary)]
  const isColo = spec.mode === 'colo'
  const argv = remusArgv(remusOptionsOf(spec, {transport, peer: secondary, buffering}))
  return [
    step(primary, 'booted', 'wait for the guest to boot', [{kind: 'xen-booted', timeoutMs: bootMs}]),
    step(
      secondary,
      'receive',
      'be ready to receive',
      [
        {
          kind: 'firewall',
          ensure: 'present',
          table: layout.firewallTable,
          address: there,
          peer: here,
          ports: [ports.migration],
        },
        {kind: 'xen-receive', ensure: 'present', address: there, port: ports.migration, argv: receiveArgvOf(identity)},
      ],
      {
        undo: [
          {kind: 'xen-receive', ensure: 'absent'},
          {kind: 'firewall', ensure: 'absent', table: layout.firewallTable},
        ],
      },
    ),
    step(
      primary,
      'protect',
      'start the stream',
      [
        // COLO itself lets the guest go on, and refuses one that runs already
        ...(isColo ? [{kind: 'xen-run', state: 'paused'} as const] : []),
        {kind: 'xen-protect', ensure: 'present', argv, address: there, port: ports.migration, local: here},
      ],
      {undo: [{kind: 'xen-protect', ensure: 'absent', timeoutMs: releaseMs}]},
    ),
    step(secondary, 'checkpoint', 'wait for the first checkpoint', [
      {kind: 'xen-checkpoint', timeoutMs: firstCheckpointMs},
    ]),
  ]
}

/** Id of the step after which forward is the only direction: from then on the other side may take over. */
export function promotableStep(secondary: string): string {
  return `${secondary}/promotable`
}

/** Both records say protected; the mark that forbids goes last on the side it forbids. */
export function recordProtected({primary, secondary, generation}: XenSidesInput): Step[] {
  const both = {generation, alone: false, wasProtected: true, clean: false, marks: {}}
  return [
    step(
      primary,
      'protected',
      'note that the pair is protected',
      [{kind: 'record-change', change: {role: 'primary', peer: secondary, ...both}}],
      {undo: [{kind: 'record-change', change: {alone: true, wasProtected: false}}]},
    ),
    step(secondary, 'promotable', 'note that this copy may take over', [
      {kind: 'record-change', change: {role: 'secondary', peer: primary, ...both}},
    ]),
  ]
}

/** The grant for a secondary. Its domain is renamed only when the other one is gone: on one Xen both cannot have the name. */
export function takeOver({spec}: PairIdentity, to: string): Step {
  const monitor = proxyOf({spec}) === 'userspace' ? takeoverMonitorCommands : []
  return step(to, 'promote', 'take over', [{kind: 'xen-takeover', monitor, timeoutMs: takeoverMs}])
}

/** The grant for a primary. */
export function goOnAlone(host: string): Step {
  return step(host, 'release', 'let the guest go on alone', [
    {kind: 'xen-protect', ensure: 'absent', timeoutMs: releaseMs},
  ])
}

/** Everything of this side ends: first what might take over, then the domain, then what xl is left with. */
export function endCopy(): Action[] {
  return [
    {kind: 'xen-receive', ensure: 'absent'},
    {kind: 'xen-domain', ensure: 'absent'},
    {kind: 'xen-protect', ensure: 'absent', timeoutMs: releaseMs},
  ]
}
