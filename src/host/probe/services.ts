import {ToolError} from '../../errors.js'
import {listArgv, parseList, parseVersion, versionArgv} from '../../libvirt/virsh.js'
import type {Files} from '../../os/files.js'
import type {Run} from '../../os/process.js'
import type {HostFacts} from '../facts.js'

/** The first call after a start of libvirtd probes every emulator: 7.7 s under TCG on two cores. */
const VIRSH_MS = 12_000
const NFT_MS = 3000

/** Version of the daemon, and its domains; a daemon that does not answer is a fact, not an error. */
export async function probeLibvirt(run: Run): Promise<Pick<HostFacts, 'libvirt' | 'domains'>> {
  try {
    const {stdout} = await run(versionArgv(), {timeoutMs: VIRSH_MS})
    const domains = await run(listArgv(), {timeoutMs: VIRSH_MS})
    return {libvirt: {version: parseVersion(stdout).daemon}, domains: parseList(domains.stdout)}
  } catch (error) {
    return {libvirt: {problem: libvirtProblem(error)}, domains: []}
  }
}

/** virsh prints a general line first, then the reason. */
function libvirtProblem(error: unknown): string {
  if (!(error instanceof ToolError)) return (error as Error).message
  if (error.failure.kind === 'missing') return 'virsh is not installed'
  const stderr = error.cause instanceof Error ? error.cause.message : ''
  const lines = stderr.split('\n').map((line) => line.replace(/^error: /, '').trim())
  return lines.filter((line) => line !== '' && line !== 'failed to connect to the hypervisor')[0] ?? error.message
}

const searchPath = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'] as const

/** Which programs are installed, looked up in PATH and in the usual directories (a unit may have a short PATH). */
export async function probeTools(files: Files, names: readonly string[]): Promise<HostFacts['tools']> {
  const directories = [
    ...new Set([...(process.env['PATH'] ?? '').split(':').filter((path) => path.startsWith('/')), ...searchPath]),
  ]
  const found = await Promise.all(
    names.map(async (name) => {
      const stats = await Promise.all(directories.map((directory) => files.stat(`${directory}/${name}`)))
      return [name, stats.some((file) => file !== undefined)] as const
    }),
  )
  return Object.fromEntries(found)
}

/** Makes a netdev chain at `lo` in a table of its own and removes it, in one transaction: nothing is left, not even after a crash. */
export async function probeNftNetdev(run: Run): Promise<boolean> {
  try {
    await run(['nft', '-f', '-'], {timeoutMs: NFT_MS, input: nftProbeRuleset(`colo-probe-${process.pid}`)})
    return true
  } catch (error) {
    if (error instanceof ToolError && error.failure.kind !== 'timed-out') return false
    throw error
  }
}

export function nftProbeRuleset(table: string): string {
  return [
    `add table netdev ${table}`,
    `add chain netdev ${table} ingress { type filter hook ingress device "lo" priority 0; policy accept; }`,
    `add rule netdev ${table} ingress ip6 version 6 drop`,
    `delete table netdev ${table}`,
    '',
  ].join('\n')
}
