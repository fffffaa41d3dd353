import {nextGeneration} from '../pair/generation.js'
import type {MemberXml, PairIdentity} from '../pair/identity.js'
import {layoutOfPair} from '../pair/identity.js'
import {recordFormat, type Generation, type PairRecord} from '../pair/record.js'
import {attach, promotableStep, recordProtected, secondaryUp, type AttachInput} from './parts/attach.js'
import * as network from './parts/network.js'
import {step} from './parts/steps.js'
import * as storage from './parts/storage.js'
import type {Action} from './action.js'
import type {Plan, Step} from './plan.js'

export interface CreateInput {
  readonly planId: string
  readonly identity: PairIdentity
  readonly generation: Generation
  readonly xml: MemberXml
  /** the secondary's images do not exist yet: making them can be undone by removing them */
  readonly freshSecondaryImages: boolean
  readonly nowMs: number
  /** the pair takes the place of the plain domain in `identity.origin`, which is `running` or off */
  readonly adopt?: {readonly running: boolean}
}

/** A guest may be installing updates when it is told to power off. */
const shutdownLimitMs = 300_000
/** Before an undo ends the guest the hard way. */
const undoShutdownMs = 20_000

/**
 * From nothing to a protected pair: records that forbid, images, the primary (running at once), the secondary, live attach.
 *
 * Until the secondary may take over every step can be taken back, and the primary's images are only used.
 */
export function planCreate(input: CreateInput): Plan {
  const {identity, xml} = input
  const layout = layoutOfPair(identity)
  const {primary, secondary} = identity.spec.hosts
  const between: AttachInput = {
    primaryWasSecondary: false,
    identity,
    layout,
    primary,
    secondary,
    generation: input.generation,
    ...(identity.spec.vm.kernel === undefined ? {boots: 'firmware'} : {}),
    otherwise: nextGeneration(input.generation, input.planId),
    xml,
  }
  const secondaryImages = storage.images(layout, secondary)
  return {
    id: input.planId,
    kind: 'create',
    pair: identity.spec.name,
    title: `create ${identity.spec.name}: ${primary} protected by ${secondary}`,
    finish: finishOf(identity),
    pointOfNoReturn: promotableStep(secondary),
    steps: [
      step(primary, 'record', 'note the pair', [{kind: 'record-create', record: firstRecord(input, 'primary')}], {
        undo: [{kind: 'record-remove', uuid: identity.uuid}, ...startAgain(input)],
      }),
      step(secondary, 'record', 'note the pair', [{kind: 'record-create', record: firstRecord(input, 'secondary')}], {
        undo: [{kind: 'record-remove', uuid: identity.uuid}],
      }),
      ...network.provenLinks(layout, {primary, secondary}),
      step(
        secondary,
        'images',
        'make the images',
        secondaryImages,
        input.freshSecondaryImages
          ? {
              undo: secondaryImages.flatMap((image) =>
                image.kind === 'image-create' ? [{kind: 'file-remove', path: image.path}] : [],
              ),
            }
          : {},
      ),
      step(primary, 'directories', 'make directories', storage.memberFiles(identity, layout, primary)),
      ...adoption(input),
      step(
        primary,
        'domain',
        'start the primary',
        [
          // libvirt gives the images of a plain domain that ends back to their owner of before
          ...(identity.origin === undefined ? [] : storage.ownImages(layout, primary)),
          {kind: 'domain-create', domain: layout.domain, xml: xml('primary', primary)},
          ...network.tapFilters(layout),
          storage.recordImages(layout, primary),
          {kind: 'vm-continue'},
        ],
        {undo: [...powerOff(input), {kind: 'domain-destroy', domain: layout.domain}, ...network.noTapFilters(layout)]},
      ),
      ...secondaryUp(between),
      ...attach(between),
      ...recordProtected(between),
    ],
  }
}

function finishOf({spec, origin}: PairIdentity): string {
  if (origin === undefined) return `colo pair create ${spec.name} -f FILE`
  return `colo pair create ${spec.name} --from-domain ${origin.domain} --secondary ${spec.hosts.secondary}`
}

/**
 * The plain domain goes: shut down in good order, then out of libvirt, so that nothing else can start it. Its definition is in both
 * records by then, and taking it back defines it again.
 */
function adoption({identity, adopt}: CreateInput): Step[] {
  const {origin} = identity
  if (origin === undefined || adopt === undefined) return []
  const {uuid, xml, autostart, domain} = origin
  const {primary} = identity.spec.hosts
  const off = step(primary, 'shutdown', `shut down ${domain}`, [
    {kind: 'domain-shutdown', uuid, timeoutMs: shutdownLimitMs, must: true},
  ])
  const gone = step(
    primary,
    'undefine',
    `take the definition of ${domain} out of libvirt`,
    [{kind: 'domain-undefine', uuid, xml}],
    {undo: [{kind: 'domain-define', uuid, xml, autostart}]},
  )
  return adopt.running ? [off, gone] : [gone]
}

/** Last of all that is taken back: the guest that ran before runs again. */
function startAgain({identity: {origin}, adopt}: CreateInput): Action[] {
  return origin === undefined || adopt?.running !== true ? [] : [{kind: 'domain-start', uuid: origin.uuid}]
}

/** An imported guest has worked before; it gets the chance to end in good order. */
function powerOff({identity: {origin}}: CreateInput): Action[] {
  return origin === undefined
    ? []
    : [{kind: 'domain-shutdown', uuid: origin.uuid, timeoutMs: undoShutdownMs, must: false}]
}

/** The first record: the primary alone is authoritative, the secondary's copy is nothing yet. */
function firstRecord(input: CreateInput, role: 'primary' | 'secondary'): PairRecord {
  const {identity} = input
  const {primary, secondary} = identity.spec.hosts
  const [host, peer] = role === 'primary' ? [primary, secondary] : [secondary, primary]
  return {
    format: recordFormat,
    ...identity,
    host,
    peer,
    role,
    generation: input.generation,
    alone: role === 'primary',
    wasProtected: false,
    clean: false,
    marks: role === 'primary' ? {} : {incomplete: {why: 'resync', detail: 'first copy has not ended'}},
    images: [],
    updatedAtMs: input.nowMs,
  }
}
