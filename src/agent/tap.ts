import {StateError} from '../errors.js'
import type {Files} from '../os/files.js'

const IFF_UP = 1

/**
 * Link state of a network interface, read without starting a process.
 *
 * sysfs shows the interfaces of the network namespace it was mounted in, which must be the agent's own.
 *
 * @see linux Documentation/ABI/testing/sysfs-class-net, flags
 */
export async function readTap(files: Files, tap: string): Promise<'up' | 'down' | 'absent'> {
  const flags = await readFlags(files, tap)
  if (flags === undefined) return 'absent'
  return (flags & IFF_UP) === 0 ? 'down' : 'up'
}

/**
 * Sets the link state and reads it back. `down` is the fence: the kernel drops every frame of a tap that is down.
 *
 * @returns whether something had to be done; an absent tap lets nothing through and counts as down
 * @throws {StateError} when the state read back is another one, or a tap to be set up is absent
 */
export async function setTap(files: Files, tap: string, state: 'up' | 'down'): Promise<'changed' | 'unchanged'> {
  const before = await readTap(files, tap)
  if (before === state || (before === 'absent' && state === 'down')) return 'unchanged'
  const flags = await readFlags(files, tap)
  if (flags !== undefined) {
    const wanted = state === 'up' ? flags | IFF_UP : flags & ~IFF_UP
    await files.writeText(flagsOf(tap), `0x${wanted.toString(16)}`)
  }
  const after = await readTap(files, tap)
  if (after === state || (after === 'absent' && state === 'down')) return 'changed'
  throw new StateError(`tap ${tap} is ${after}, not ${state}`, {actual: after, required: [state]})
}

/** Bridge the interface is a port of. */
export async function readBridge(files: Files, tap: string): Promise<string | undefined> {
  const uevent = await files.readText(`/sys/class/net/${checked(tap)}/master/uevent`)
  return /^INTERFACE=(.+)$/m.exec(uevent ?? '')?.[1]
}

async function readFlags(files: Files, tap: string): Promise<number | undefined> {
  let text: string | undefined
  try {
    text = await files.readText(flagsOf(tap))
  } catch (error) {
    // the interface went away while it was read
    if (['EINVAL', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
  if (text === undefined) return undefined
  const flags = Number.parseInt(text.trim(), 16)
  if (Number.isNaN(flags)) throw new StateError(`${flagsOf(tap)} holds no flags`, {actual: text, required: ['hex']})
  return flags
}

function flagsOf(tap: string): string {
  return `/sys/class/net/${checked(tap)}/flags`
}

function checked(tap: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/.test(tap))
    throw new StateError(`${tap} is not the name of an interface`, {actual: tap, required: []})
  return tap
}
