import {createHash} from 'node:crypto'
import {cp, mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'

import type {Run} from '../os/process.js'
import {cacheEntry} from './cache.js'
import type {Mirror} from './mirror.js'
import {labAsset, overlayHome, type LabPaths} from './paths.js'
import type {Progress} from './progress.js'
import {contained, type Rootfs} from './rootfs.js'

/** Where every host sees the guest. */
export const guestInHost = '/var/lib/colo/guest'

const sources = ['guest-build.sh', 'guest-pack.sh', 'guest-init.sh', 'guestd.c'] as const

/** A built guest: `vmlinuz`, `initrd.img`, `disk.qcow2` and `kernel-version` in one directory. */
export interface Guest {
  readonly directory: string
  readonly kernel: string
}

/**
 * The guest from the cache, or built now inside a throw-away overlay over the root file system.
 *
 * @throws {ToolError} when a package, the compiler or a packing step fails
 */
export async function ensureGuest(context: {
  run: Run
  paths: LabPaths
  progress: Progress
  rootfs: Rootfs
  mirror: () => Promise<Mirror>
}): Promise<Guest> {
  const {run, paths, progress, rootfs} = context
  const directory = await cacheEntry(paths.cache, `guest-${await guestKey(rootfs.key)}`, (building) =>
    progress.step('guest: kernel, initramfs and boot disk', async () => {
      const work = await mkdtemp(join(overlayHome(paths.cache), 'colo-lab-guest-'))
      try {
        const assets = join(work, 'assets')
        await mkdir(assets)
        for (const name of sources) await cp(labAsset(name), join(assets, name))
        await writeFile(join(work, 'apt.conf'), (await context.mirror()).aptConf)
        const argv = ['sh', labAsset('guest-build.sh'), rootfs.directory, work, building, assets] as const
        await run(contained([...argv]), {timeoutMs: 600_000})
      } finally {
        await rm(work, {recursive: true, force: true})
      }
    }),
  )
  return {directory, kernel: (await readFile(join(directory, 'kernel-version'), 'utf8')).trim()}
}

async function guestKey(rootfsKey: string): Promise<string> {
  const hash = createHash('sha256').update(rootfsKey)
  for (const name of sources) hash.update(await readFile(join(dirname(labAsset(name)), name)))
  return hash.digest('hex').slice(0, 12)
}
