import {layoutOfPair, type MemberXml, type PairIdentity} from '../pair/identity.js'
import {onHost} from '../pair/spec.js'

/**
 * Binds the domain template and the QEMU version to a pair: what remains is role and host.
 *
 * @param qemuVersion  of the hosts, `11.1.3`; the newest known when it could not be read
 */
export async function memberXmlOf(identity: PairIdentity, qemuVersion: string | undefined): Promise<MemberXml> {
  const [{buildMemberXml, skeletonName}, {readTemplate}] = await Promise.all([
    import('../libvirt/member-xml.js'),
    import('../os/templates.js'),
  ])
  const template = await readTemplate(`domain/${skeletonName(identity.machine)}`)
  // the record's addresses may name former members, too; its hosts are those of now
  const {primary, secondary} = identity.spec.hosts
  const [firstDisk] = identity.spec.disks
  return (role, host) =>
    buildMemberXml({
      spec: identity.spec,
      layout: layoutOfPair(identity),
      record: identity,
      role,
      host,
      peer: host === primary ? secondary : primary,
      scratchRoot:
        (firstDisk?.scratch === undefined ? undefined : onHost(firstDisk.scratch, host)) ?? '/run/colo/scratch',
      capabilities: {reconnect: hasReconnectMs(qemuVersion) ? 'ms' : 'seconds'},
      template: template.text,
      templateSource: template.source,
    })
}

/** `reconnect-ms` came with 9.2; `reconnect` went with 10.2 (facts: qemu-colo section 10.2). */
function hasReconnectMs(version: string | undefined): boolean {
  if (version === undefined) return true
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 9 || (major === 9 && minor >= 2)
}
