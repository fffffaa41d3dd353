import {homedir} from 'node:os'
import {BaseCommand} from '../../src/cli/base-command.js'
import {argument, force, hosts, yes} from '../../src/cli/flags.js'
import {prose} from '../../src/cli/prose.js'
import {ConflictError, NotFoundError} from '../../src/errors.js'
import type {HostUse} from '../../src/host/survey.js'

export interface HostRemoveDocument {
  readonly host: string
  readonly file: string
  /** hosts that could not be asked whether they have pairs with it */
  readonly silent: readonly string[]
}

export default class HostRemove extends BaseCommand {
  static override aliases = ['host:rm']
  static override summary = 'remove a host from the inventory that no pair uses'
  static override description =
    prose(`Asks all hosts for pairs in which it has a part, and refuses when there is one: destroy it, or replace the host there first.
When hosts do not answer, nobody can tell; then the host's name must be typed, or \`--yes --force unknown-pairs\` given.

Only the inventory is changed: nothing is done on the host.`)
  static override examples = ['<%= config.bin %> <%= command.id %> gamma']
  static override args = {name: argument({description: 'name of the host', required: true})}
  static override flags = {hosts: hosts(), yes: yes(), force: force()}

  async run(): Promise<HostRemoveDocument> {
    const {args, flags} = await this.parse(HostRemove)
    const [{findInventory}, {removeHost}, {writeInventory}] = await Promise.all([
      import('../../src/config/hosts-file.js'),
      import('../../src/config/write-hosts.js'),
      import('../../src/host/inventory-file.js'),
    ])
    const found = await findInventory({flag: flags.hosts, env: process.env, home: homedir()})
    if (found.text === undefined) throw new NotFoundError(`there is no inventory ${found.path}`)
    const edited = removeHost(found.text, found.path, args.name)
    const use = await this.#use(args.name, flags)
    await writeInventory(found.path, edited.text)
    if (!flags.quiet) this.log(`removed ${args.name} from ${found.path}`)
    return {host: args.name, file: found.path, silent: use.silent}
  }

  /** @throws {ConflictError} when pairs use it, {RefusedError} when that is not known and not confirmed */
  async #use(
    name: string,
    flags: {hosts?: string | undefined; yes: boolean; force?: string[] | undefined; quiet: boolean},
  ): Promise<HostUse> {
    const context = await this.operation(flags)
    const {pairsUsing} = await import('../../src/host/survey.js')
    const use = await pairsUsing(context, context.inventory.hosts, name)
    if (use.pairs.length > 0) {
      throw new ConflictError(`${name} has a part in ${use.pairs.join(', ')}`, {
        hint: `colo pair destroy ${use.pairs[0] ?? ''}, or colo pair replace, first`,
      })
    }
    if (use.silent.length > 0) {
      const text = `${use.silent.join(', ')} did not answer: there may be pairs with ${name}, which could not be managed any more.`
      await context.confirm({text, expected: name, force: 'unknown-pairs'})
    }
    return use
  }
}
