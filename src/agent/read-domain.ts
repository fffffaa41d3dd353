import {DecodeError, ToolError} from '../errors.js'
import {
  checkpointsArgv,
  definitionArgv,
  dominfoArgv,
  domstateArgv,
  isNoDomain,
  parseDominfo,
  parseDomstate,
  parseList,
  snapshotsArgv,
} from '../libvirt/virsh.js'
import type {Run} from '../os/process.js'
import type {PlainDomain} from './protocol.js'

/**
 * Everything an import needs to know of a domain of this host's libvirt; nothing is changed.
 *
 * @returns undefined when libvirt knows no domain of that name
 */
export async function readPlainDomain(name: string, run: Run): Promise<PlainDomain | undefined> {
  try {
    const text = async (argv: readonly [string, ...string[]]): Promise<string> => (await run(argv)).stdout
    const xml = await text(definitionArgv(name))
    const uuid = uuidOf(xml)
    // by uuid from here on: virsh takes a name of digits for the number of a running domain
    if (uuid === undefined) throw new DecodeError({source: 'virsh dumpxml', path: 'uuid', expected: 'a uuid'})
    const info = parseDominfo(await text(dominfoArgv(uuid)))
    const {state} = parseDomstate(await text(domstateArgv(uuid)))
    const names = async (argv: readonly [string, ...string[]]): Promise<readonly string[]> =>
      info.persistent ? parseList(await text(argv)) : []
    return {
      uuid,
      state,
      xml,
      ...info,
      snapshots: await names(snapshotsArgv(uuid)),
      checkpoints: await names(checkpointsArgv(uuid)),
    }
  } catch (error) {
    if (saysNoDomain(error)) return undefined
    throw error
  }
}

/** The domain's own uuid comes first in libvirt's XML and in ours. */
export function uuidOf(xml: string): string | undefined {
  return /<uuid>\s*([0-9A-Fa-f-]{36})\s*<\/uuid>/.exec(xml)?.[1]?.toLowerCase()
}

/** Whether virsh failed because there is no such domain. */
export function saysNoDomain(error: unknown): boolean {
  if (!(error instanceof ToolError) || error.failure.kind !== 'exit') return false
  return isNoDomain(`${error.failure.firstLine}\n${error.cause instanceof Error ? error.cause.message : ''}`)
}
