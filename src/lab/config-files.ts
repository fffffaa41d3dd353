import {cablesOf, hostNumber, labHosts, managementAddress, replicationAddress, type LabHost} from './layout.js'

/** The inventory as seen from one of the hosts, or from the machine itself (`from` undefined). */
export function inventoryYaml(from: LabHost | undefined): string {
  const entries = labHosts.map((host) => {
    const connection = host === from ? 'local' : `ssh://root@${managementAddress(host)}:22`
    const forward = cablesOf(host)
      .filter(({link}) => link.startsWith('fwd'))
      .map(({near}) => near.device)
    return [
      `  ${host}:`,
      `    connection: '${connection}'`,
      `    replication: ${replicationAddress(host)}`,
      '    ports: 9100-9999',
      '    scratch: /run/colo/scratch',
      '    images: /var/lib/colo/images',
      '    bridges: [br0, br1]',
      `    forward: [${forward.join(', ')}]`,
    ].join('\n')
  })
  return `# written by \`colo lab up\`\napiVersion: colo/v1\nkind: Hosts\nhosts:\n${entries.join('\n')}\n`
}

/** Every name a host can look up; nothing else is ever asked. */
export function hostsFile(self: LabHost): string {
  const lines = labHosts.map((host) => `${managementAddress(host)} ${host}`)
  return `127.0.0.1 localhost\n127.0.1.1 ${self}.lab\n::1 localhost\n${lines.join('\n')}\n`
}

/** Settings of the system's ssh for reaching the hosts; `dir` holds the key and the known hosts. */
export function sshConfig(dir: string): string {
  const names = labHosts.map((host) => `Host ${host}\n  HostName ${managementAddress(host)}\n`)
  return `# written by \`colo lab up\`
${names.join('')}Host 10.99.0.* ${labHosts.join(' ')}
  User root
  IdentityFile ${dir}/id_ed25519
  IdentitiesOnly yes
  UserKnownHostsFile ${dir}/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  GSSAPIAuthentication no
  LogLevel ERROR
`
}

/** known_hosts lines from each host's public key. */
export function knownHosts(publicKeys: ReadonlyMap<LabHost, string>): string {
  return [...publicKeys].map(([host, key]) => `${managementAddress(host)},${host} ${keyWithoutComment(key)}\n`).join('')
}

/** libvirtd.conf: hosts must not share a uuid, or libvirt refuses to migrate between them. */
export function libvirtdConf(host: LabHost): string {
  return `host_uuid = "c0105a7e-1ab0-4000-8000-00000000000${hostNumber(host)}"\nauth_unix_rw = "none"\nauth_unix_ro = "none"\n`
}

function keyWithoutComment(key: string): string {
  return key.trim().split(' ').slice(0, 2).join(' ')
}
