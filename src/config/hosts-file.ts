import {NotFoundError} from '../errors.js'
import type {Inventory} from '../pair/inventory.js'
import {parseConfigDocument} from './document.js'
import {MapFields} from './fields.js'
import {readHeader} from './header.js'
import {readHosts} from './host-fields.js'
import {readIfThere} from './read-text.js'

/**
 * Reads an inventory (`hosts.yaml`).
 *
 * @throws {ConfigProblems} everything that is wrong, with places
 */
export function parseHostsFile(text: string, file: string): Inventory {
  const {root, report} = parseConfigDocument(text, file)
  const fields = MapFields.ofRoot(root, report)
  readHeader(fields, 'Hosts')
  report.throwIfAny()
  const hosts = fields.required('hosts', readHosts)
  fields.finish()
  report.throwIfAny()
  return {file, hosts: hosts ?? []}
}

/** What decides which inventory is used. */
export interface InventorySource {
  /** `--hosts FILE` */
  readonly flag?: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  /** home directory */
  readonly home: string
}

/** Where an inventory may be. `named` ones must exist: the user asked for them. */
export interface InventoryCandidate {
  readonly path: string
  readonly named?: '--hosts' | 'COLO_HOSTS'
}

/** The inventory of the whole machine. */
export const systemInventory = '/etc/colo/hosts.yaml'

/**
 * Files in the order in which they are tried; the first that exists is the only one read:
 *
 * 1. `--hosts FILE`, alone
 * 2. `COLO_HOSTS`, alone
 * 3. `$XDG_CONFIG_HOME/colo/hosts.yaml` (`~/.config` when unset or not absolute)
 * 4. `/etc/colo/hosts.yaml`
 */
export function inventoryCandidates({flag, env, home}: InventorySource): readonly InventoryCandidate[] {
  if (flag !== undefined) return [{path: flag, named: '--hosts'}]
  const variable = env['COLO_HOSTS']
  if (variable !== undefined && variable !== '') return [{path: variable, named: 'COLO_HOSTS'}]
  const xdg = env['XDG_CONFIG_HOME']
  const config = xdg?.startsWith('/') === true ? xdg : `${home}/.config`
  return [{path: `${config}/colo/hosts.yaml`}, {path: systemInventory}]
}

/**
 * The inventory in force.
 *
 * @throws {ConfigProblems} it is wrong
 * @throws {NotFoundError} there is none
 * @throws {UsageError} it cannot be read
 */
export async function loadInventory(source: InventorySource): Promise<Inventory> {
  const found = await findInventory(source)
  if (found.text === undefined) throw noInventory(source)
  return parseHostsFile(found.text, found.path)
}

/**
 * The file in force and its text, for editing. When there is none yet, `text` is undefined and `path` is where a new one
 * belongs: the named file, else `/etc/colo/hosts.yaml` for root and the file below the home directory for others.
 */
export async function findInventory(
  source: InventorySource,
  isRoot = process.getuid?.() === 0,
): Promise<{readonly path: string; readonly text: string | undefined}> {
  const candidates = inventoryCandidates(source)
  for (const {path} of candidates) {
    const text = await readIfThere(path)
    if (text !== undefined) return {path, text}
  }
  return {path: (isRoot ? candidates.at(-1) : candidates[0])?.path ?? systemInventory, text: undefined}
}

function noInventory(source: InventorySource): NotFoundError {
  const candidates = inventoryCandidates(source)
  const paths = candidates.map(({path}) => path).join(' and ')
  const named = candidates[0]?.named
  const hint = 'write one, or add the first host: colo host add NAME --connection ssh://root@HOST --replication ADDRESS'
  if (named === undefined) return new NotFoundError(`no inventory of hosts: looked for ${paths}`, {hint})
  return new NotFoundError(`no inventory of hosts: ${paths}, named by ${named}, does not exist`, {hint})
}
