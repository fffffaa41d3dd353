import {existsSync} from 'node:fs'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import type {Run} from '../os/process.js'
import {labAsset, type LabPaths} from './paths.js'
import {contained} from './rootfs.js'

export type Accelerator = 'kvm' | 'tcg'

/**
 * The accelerator the lab's guests really boot with, found by booting one. The answer holds until the machine boots again.
 *
 * @returns `kvm` only when a guest reached its init with it within 20 s
 */
export async function probeAccelerator(context: {
  run: Run
  paths: LabPaths
  rootfs: string
  guest: string
}): Promise<Accelerator> {
  if (!existsSync('/dev/kvm')) return 'tcg'
  const file = join(context.paths.cache, 'accelerator')
  const boot = await bootId()
  const cached = existsSync(file) ? (await readFile(file, 'utf8')).split(' ') : []
  if (cached[0] === boot) return cached[1] === 'kvm' ? 'kvm' : 'tcg'
  const probe = contained(['sh', labAsset('accel-probe.sh'), context.rootfs, context.guest])
  const {stdout} = await context.run(probe, {timeoutMs: 40_000})
  const answer = stdout.trim() === 'kvm' ? 'kvm' : 'tcg'
  await writeFile(file, `${boot} ${answer}`)
  return answer
}

/** Differs after each boot of the machine. */
export async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
}
