import {isMap, parseDocument, type Document} from 'yaml'

import {ConfigError, ConflictError, NotFoundError, UsageError} from '../errors.js'
import {quote} from '../pair/names.js'
import type {Inventory} from '../pair/inventory.js'
import {parseHostsFile} from './hosts-file.js'
import {ConfigProblems} from './report.js'
import {closest} from './suggest.js'

/** A host as the user describes it, as texts that go into the file; what is undefined is left to its default. */
export interface NewHost {
  readonly name: string
  readonly connection: string
  readonly replication: string
  readonly ports?: string | undefined
  readonly scratch?: string | undefined
  readonly images?: string | undefined
  readonly bridges?: readonly string[] | undefined
  readonly forward?: readonly string[] | undefined
}

/** An inventory's new text, checked, and what it says. */
export interface EditedHosts {
  readonly text: string
  readonly inventory: Inventory
}

const emptyInventory = 'apiVersion: colo/v1\nkind: Hosts\nhosts: {}\n'

/**
 * Adds a host. Comments and the order of the others stay.
 *
 * @param text  the file as it is, undefined when there is none yet
 * @throws {ConfigProblems} the file was wrong before
 * @throws {ConflictError} it has a host of this name
 * @throws {UsageError} the new host is wrong: bad name, address of another host, ...
 */
export function addHost(text: string | undefined, file: string, host: NewHost): EditedHosts {
  const before = parseHostsFile(text ?? emptyInventory, file)
  const {name, ...entry} = host
  if (before.hosts.some((known) => known.name === name)) {
    throw new ConflictError(`host ${name} is already in ${file}`, {
      hint: `edit ${file}, or colo host remove ${name} first`,
    })
  }
  const document = parseHosts(text ?? emptyInventory)
  const given = Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined))
  document.setIn(['hosts', name], document.createNode(given))
  const hosts = document.get('hosts')
  if (isMap(hosts)) hosts.flow = false
  try {
    return written(document, file)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const [problem] = error instanceof ConfigProblems ? error.problems : []
    const field = problem?.path.replace(/^hosts\.?/, '') ?? ''
    const why = `${field === '' ? '' : `${field}: `}${problem?.message ?? error.message}`
    throw new UsageError(`cannot add host ${quote(name)}: ${why}`, {hint: problem?.hint, cause: error})
  }
}

/**
 * Removes a host, with the comments in its entry and above it (that above the first host stays: it may belong to all).
 *
 * @throws {ConfigProblems} the file was wrong before
 * @throws {NotFoundError} it has no such host
 */
export function removeHost(text: string, file: string, name: string): EditedHosts {
  const names = parseHostsFile(text, file).hosts.map((host) => String(host.name))
  if (!names.includes(name)) {
    const guess = closest(name, names)
    const hint = guess === undefined ? 'colo host list shows what there is' : `did you mean ${guess}?`
    throw new NotFoundError(`${file} has no host ${quote(name)}`, {hint})
  }
  const document = parseHosts(text)
  document.deleteIn(['hosts', name])
  return written(document, file)
}

/** Scalars stay as written: `007` is not turned into a number. */
function parseHosts(text: string): Document {
  return parseDocument(text, {schema: 'failsafe'})
}

function written(document: Document, file: string): EditedHosts {
  const text = document.toString({lineWidth: 0, flowCollectionPadding: false})
  return {text, inventory: parseHostsFile(text, file)}
}
