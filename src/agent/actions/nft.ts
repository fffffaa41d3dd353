import {NotFoundError, StateError, ToolError} from '../../errors.js'
import {firewallRuleset, readFirewall, sameFirewall} from '../../net/firewall.js'
import {
  nftApplyArgv,
  nftListArgv,
  nftTextArgv,
  parseNftTable,
  tableRemoval,
  type NftFamily,
  type NftTable,
} from '../../net/nft-list.js'
import {deviceInText, dropsAll, readTapFilter, tapFilterRuleset} from '../../net/tap-filter.js'
import type {Argv, RunOptions} from '../../os/process.js'
import type {ActionContext, ActionOutcome} from '../action-context.js'
import type {ActionOf, Perform} from './common.js'

/** See the action `firewall`. */
export const firewall: Perform<ActionOf<'firewall'>> = async (action, context) => {
  if (action.ensure === 'absent') return removeTable(context, 'inet', action.table)
  return replaceTable(context, {family: 'inet', name: action.table}, firewallRuleset(action.table, action), (table) => {
    const rule = readFirewall(table)
    return Promise.resolve(rule !== undefined && sameFirewall(rule, action))
  })
}

/** See the action `tap-filter`. */
export const tapFilter: Perform<ActionOf<'tap-filter'>> = async (action, context) => {
  if (action.ensure === 'absent') return removeTable(context, 'netdev', action.table)
  const {tap, table: name} = action
  return replaceTable(context, {family: 'netdev', name}, tapFilterRuleset(name, tap), async (table) => {
    if (!dropsAll(readTapFilter(table))) return false
    return deviceInText((await nft(context, nftTextArgv('netdev', name))) ?? '') === tap
  })
}

/** Replaces a table in one transaction unless it is as it should be, and looks whether it then is. */
async function replaceTable(
  context: ActionContext,
  {family, name}: {readonly family: NftFamily; readonly name: string},
  ruleset: string,
  fits: (table: NftTable) => Promise<boolean>,
): Promise<ActionOutcome> {
  const before = await list(context, family, name)
  if (before !== undefined && (await fits(before))) return 'unchanged'
  await nft(context, nftApplyArgv(), {input: ruleset})
  const after = await list(context, family, name)
  if (after !== undefined && (await fits(after))) return 'changed'
  throw new StateError(`nftables table ${family} ${name} is not as it was just made`, {
    actual: 'other',
    required: ['as made'],
  })
}

async function removeTable(context: ActionContext, family: NftFamily, name: string): Promise<ActionOutcome> {
  if ((await list(context, family, name)) === undefined) return 'unchanged'
  await nft(context, nftApplyArgv(), {input: tableRemoval(family, name)})
  return 'changed'
}

async function list(context: ActionContext, family: NftFamily, name: string): Promise<NftTable | undefined> {
  const stdout = await nft(context, nftListArgv(family, name))
  return stdout === undefined ? undefined : parseNftTable(stdout)
}

/** @returns undefined when nft says that there is no such table */
async function nft({run}: ActionContext, argv: Argv, options?: RunOptions): Promise<string | undefined> {
  try {
    return (await run(argv, options)).stdout
  } catch (error) {
    if (!(error instanceof ToolError)) throw error
    if (error.failure.kind === 'missing') {
      throw new NotFoundError('nft is not installed on this host', {cause: error, hint: 'install the package nftables'})
    }
    const gone =
      argv.includes('list') && error.failure.kind === 'exit' && error.failure.firstLine.includes('No such file')
    if (gone) return undefined
    throw error
  }
}
