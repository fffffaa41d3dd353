import {recordFormat, type Generation, type PairRecord} from '../../pair/record.js'
import {layoutOfPair, type PairIdentity} from '../../pair/identity.js'
import type {Action} from '../action.js'
import {step} from '../parts/steps.js'
import type {Plan} from '../plan.js'
import {promotableStep, protect, recordProtected} from './parts.js'

export interface XenCreateInput {
  readonly planId: string
  readonly identity: PairIdentity
  readonly generation: Generation
  /** the xl.cfg */
  readonly config: string
  readonly buffering: boolean
  readonly nowMs: number
}

/** From nothing to a protected Xen pair: records, the guest, its first checkpoint on the other host. */
export function planXenCreate(input: XenCreateInput): Plan {
  const {identity, config} = input
  const {name, hosts} = identity.spec
  const {primary, secondary} = hosts
  const sides = {...input, primary, secondary}
  const {runDir} = layoutOfPair(identity)
  const forget: Action[] = [
    {kind: 'directory-remove', path: `${runDir}/xen`},
    {kind: 'directory-remove', path: runDir},
    {kind: 'record-remove'},
  ]
  return {
    id: input.planId,
    kind: 'create',
    pair: name,
    title: `create ${name}: ${primary} protected by ${secondary}`,
    finish: `colo pair create ${name} -f FILE`,
    pointOfNoReturn: promotableStep(secondary),
    steps: [
      step(primary, 'record', 'note the pair', [{kind: 'record-create', record: firstXenRecord(input, 'primary')}], {
        undo: forget,
      }),
      step(
        secondary,
        'record',
        'note the pair',
        [{kind: 'record-create', record: firstXenRecord(input, 'secondary')}],
        {undo: forget},
      ),
      step(
        primary,
        'domain',
        'start the guest',
        [
          {kind: 'xen-domain', ensure: 'created', config},
          {kind: 'xen-run', state: 'running'},
        ],
        {undo: [{kind: 'xen-domain', ensure: 'absent'}]},
      ),
      ...protect(sides),
      ...recordProtected(sides),
    ],
  }
}

/** The primary alone is authoritative, the secondary's copy is nothing yet. */
export function firstXenRecord(
  {identity, generation, nowMs}: Pick<XenCreateInput, 'identity' | 'generation' | 'nowMs'>,
  role: 'primary' | 'secondary',
): PairRecord {
  const {primary, secondary} = identity.spec.hosts
  const [host, peer] = role === 'primary' ? [primary, secondary] : [secondary, primary]
  return {
    format: recordFormat,
    ...identity,
    host,
    peer,
    role,
    generation,
    alone: role === 'primary',
    wasProtected: false,
    clean: false,
    marks: role === 'primary' ? {} : {incomplete: {why: 'resync', detail: 'no checkpoint has arrived yet'}},
    images: [],
    updatedAtMs: nowMs,
  }
}
