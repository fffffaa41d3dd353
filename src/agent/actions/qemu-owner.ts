import {ConfigError, ToolError} from '../../errors.js'
import type {ActionContext} from '../action-context.js'

const qemuConf = '/etc/libvirt/qemu.conf'

/** Numeric owner of what QEMU must be able to open. */
export interface Owner {
  readonly uid: number
  readonly gid: number
}

/**
 * Whom libvirt runs QEMU as: `user` and `group` of qemu.conf, else `libvirt-qemu` (or `qemu`) where that account exists, else root.
 *
 * @throws {ConfigError} when qemu.conf names an account that does not exist
 * @see libvirt src/qemu/qemu.conf.in, "The user for QEMU processes run by the system instance"
 */
export async function qemuOwner(context: Pick<ActionContext, 'files' | 'run'>): Promise<Owner> {
  const conf = (await context.files.readText(qemuConf)) ?? ''
  const user = setting(conf, 'user')
  if (user === undefined) return (await firstAccount(context, ['libvirt-qemu', 'qemu'])) ?? {uid: 0, gid: 0}
  const account = await accountOf(context, user.value)
  if (account === undefined) throw unknown('user', user)
  const group = setting(conf, 'group')
  if (group === undefined) return account
  const gid = await groupOf(context, group.value)
  if (gid === undefined) throw unknown('group', group)
  return {uid: account.uid, gid}
}

interface Setting {
  readonly value: string
  readonly line: number
}

/** `user = "libvirt-qemu"`, `user = "+0"`, `user = 64055`; the last one counts. */
function setting(conf: string, name: string): Setting | undefined {
  const pattern = new RegExp(`^\\s*${name}\\s*=\\s*"?([^"#\\s]+)"?\\s*(#.*)?$`)
  return conf
    .split('\n')
    .map((text, index) => ({value: pattern.exec(text)?.[1], line: index + 1}))
    .filter((found): found is Setting => found.value !== undefined)
    .at(-1)
}

async function firstAccount(context: Pick<ActionContext, 'run'>, names: readonly string[]): Promise<Owner | undefined> {
  for (const name of names) {
    const account = await accountOf(context, name)
    if (account !== undefined) return account
  }
  return undefined
}

async function accountOf(context: Pick<ActionContext, 'run'>, name: string): Promise<Owner | undefined> {
  const fields = await entry(context, 'passwd', name.replace(/^\+/, ''))
  if (fields !== undefined) return {uid: Number(fields[2]), gid: Number(fields[3])}
  const id = numeric(name)
  return id === undefined ? undefined : {uid: id, gid: id}
}

async function groupOf(context: Pick<ActionContext, 'run'>, name: string): Promise<number | undefined> {
  const fields = await entry(context, 'group', name.replace(/^\+/, ''))
  return fields === undefined ? numeric(name) : Number(fields[2])
}

async function entry(
  {run}: Pick<ActionContext, 'run'>,
  database: 'passwd' | 'group',
  key: string,
): Promise<readonly string[] | undefined> {
  try {
    return (await run(['getent', database, key])).stdout.trim().split(':')
  } catch (error) {
    if (error instanceof ToolError && error.failure.kind === 'exit' && error.failure.status === 2) return undefined
    throw error
  }
}

function numeric(name: string): number | undefined {
  return /^\+?[0-9]+$/.test(name) ? Number(name) : undefined
}

function unknown(what: string, {value, line}: Setting): ConfigError {
  return new ConfigError(
    {file: qemuConf, line, column: 1},
    `${what} ${JSON.stringify(value)} does not exist on this host`,
  )
}
