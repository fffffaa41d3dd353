import {parseConnection} from '../config/connection.js'
import {NotFoundError, UsageError} from '../errors.js'
import {defaultDirectories, type Directories} from '../host/prepare/desired.js'
import type {ConnectionSpec, Inventory} from '../pair/inventory.js'

export interface PrepareTarget {
  readonly name: string
  readonly connection: ConnectionSpec
  readonly directories: Directories
}

/**
 * The hosts that words of the command line mean: names of the inventory, connections, or this machine when there is no word.
 *
 * @param inventory  read only when it is needed: the first host is prepared before there is one
 * @param wanted     an inventory was named, so a missing one is an error
 * @throws {UsageError} for a word given twice or a connection that is none, {NotFoundError} for an unknown name
 */
export async function prepareTargets(
  words: readonly string[],
  inventory: () => Promise<Inventory>,
  wanted: boolean,
): Promise<PrepareTarget[]> {
  const twice = words.find((word, index) => words.indexOf(word) !== index)
  if (twice !== undefined) throw new UsageError(`${twice} is given twice`)
  if (words.length === 0) return [await thisMachine(inventory, wanted)]
  const connections = words.filter(isConnection)
  const known = connections.length === words.length ? undefined : await inventory()
  return words.map((word) => (isConnection(word) ? fromConnection(word) : fromInventory(word, known)))
}

async function thisMachine(inventory: () => Promise<Inventory>, wanted: boolean): Promise<PrepareTarget> {
  const connection = {kind: 'local'} as const
  try {
    const own = (await inventory()).hosts.find((host) => host.connection.kind === 'local')
    return own === undefined
      ? {name: 'local', connection, directories: defaultDirectories}
      : {name: own.name, connection, directories: own}
  } catch (error) {
    if (wanted || !(error instanceof NotFoundError)) throw error
    return {name: 'local', connection, directories: defaultDirectories}
  }
}

function isConnection(word: string): boolean {
  return word === 'local' || word.includes('://')
}

function fromConnection(word: string): PrepareTarget {
  const parsed = parseConnection(word)
  if (!parsed.ok) throw new UsageError(`${JSON.stringify(word)} ${parsed.problem}`, {hint: parsed.hint})
  return {name: word, connection: parsed.value, directories: defaultDirectories}
}

function fromInventory(word: string, inventory: Inventory | undefined): PrepareTarget {
  const entry = inventory?.hosts.find(({name}) => name === word)
  if (entry !== undefined) return {name: entry.name, connection: entry.connection, directories: entry}
  throw new NotFoundError(`no host ${word} in ${inventory?.file ?? 'the inventory'}`, {
    hint: 'see `colo host list`; a host that is not in it yet is given by its connection, such as ssh://root@beta',
  })
}
