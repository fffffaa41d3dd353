import {NotFoundError} from '../errors.js'
import {authorityOf} from '../pair/assess.js'
import {identityOf, type MemberXml, type PairIdentity} from '../pair/identity.js'
import type {Role} from '../pair/record.js'
import type {PairSpec} from '../pair/spec.js'
import {openCandidates} from './candidates.js'
import type {OperationContext} from './context.js'
import {memberXmlOf} from './member-xml.js'
import {identityFor} from './prepare-create.js'
import {findPair, seenOf} from './sides.js'
import {xenConfigOf} from './xen/config.js'

export interface MemberXmlResult {
  readonly host: string
  readonly role: Role
  /** libvirt's XML, or for a Xen pair the xl.cfg that both sides have in common */
  readonly format: 'libvirt' | 'xl'
  readonly xml: string
}

/** A pair that does not exist yet has no uuid; this one stands in the XML that is only shown. */
const shownUuid = '00000000-0000-4000-8000-000000000000'

/** Domain XML of both members, or of the one on `host`, of a spec or of a pair that exists. */
export async function memberXml(
  context: OperationContext,
  source: PairSpec | string,
  options: {readonly host?: string},
): Promise<readonly MemberXmlResult[]> {
  const {identity, primary, secondary, qemuVersion} =
    typeof source === 'string' ? await ofPair(context, source) : await ofSpec(context, source)
  const xen = identity.spec.engine === 'xen'
  const config = xen ? await xenConfigOf(identity, {primary, secondary}) : ''
  const xml: MemberXml = xen ? () => config : await memberXmlOf(identity, qemuVersion)
  const members = [
    {host: primary, role: 'primary'},
    {host: secondary, role: 'secondary'},
  ] as const
  const wanted = members.filter(({host}) => options.host === undefined || options.host === host)
  if (wanted.length === 0) {
    throw new NotFoundError(
      `${options.host ?? ''} is no host of ${identity.spec.name}; its hosts are ${primary} and ${secondary}`,
    )
  }
  return wanted.map(({host, role}) => ({host, role, format: xen ? 'xl' : 'libvirt', xml: xml(role, host)}))
}

interface Known {
  readonly identity: PairIdentity
  readonly primary: string
  readonly secondary: string
  readonly qemuVersion: string | undefined
}

async function ofPair(context: OperationContext, pair: string): Promise<Known> {
  const found = await findPair(context, pair)
  try {
    const {primary, other} = authorityOf(found.sides.map(seenOf))
    const known = primary ?? other
    if (known === undefined) throw new NotFoundError(`no host knows a pair named ${pair}`)
    const {host, record, vm} = known
    const [first, second] = known === primary ? [host, record.peer] : [record.peer, host]
    return {identity: identityOf(record), primary: first, secondary: second, qemuVersion: vm?.qemuVersion}
  } finally {
    found.close()
  }
}

async function ofSpec(context: OperationContext, spec: PairSpec): Promise<Known> {
  const candidates = await openCandidates(context, spec)
  try {
    const identity = identityFor(spec, candidates, {uuid: shownUuid, beaconKey: ''})
    const {primary, secondary} = spec.hosts
    return {identity, primary, secondary, qemuVersion: candidates.primary.facts.qemu?.version}
  } finally {
    candidates.close()
  }
}
