import {createHash} from 'node:crypto'
import {existsSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {cacheEntry} from '../../../src/lab/cache.js'
import {findMirror} from '../../../src/lab/mirror.js'
import {labPaths} from '../../../src/lab/paths.js'
import {contained} from '../../../src/lab/rootfs.js'
import {run} from '../../../src/os/process.js'

export const assets = fileURLToPath(new URL('.', import.meta.url))
const sources = ['build-rootfs.sh', 'early-init.sh', 'guest-init.sh'] as const

/** A Debian 12 with Xen, unpacked: `xen/xen.elf`, `xen/vmlinuz`, `xen/early.img` and the guest's `xen/guest.img` in it. */
export async function ensureXenRootfs(): Promise<string> {
  const {cache} = labPaths()
  return await cacheEntry(cache, `xen-${key()}`, async (building) => {
    const mirror = await findMirror(run)
    const env = mirror.httpProxy === undefined ? {} : {http_proxy: mirror.httpProxy}
    const argv = contained(['sh', join(assets, 'build-rootfs.sh'), building, mirror.uri])
    await run(argv, {timeoutMs: 900_000, env})
  })
}

/** The directory, when it is there already: tests run in namespaces that reach no mirror. */
export function xenRootfs(): string {
  const directory = join(labPaths().cache, `xen-${key()}`)
  if (existsSync(directory)) return directory
  throw new Error(`${directory} does not exist: node --import tsx test/support/xen/prepare.ts builds it`)
}

function key(): string {
  const hash = createHash('sha256')
  for (const name of sources) hash.update(readFileSync(join(assets, name)))
  return hash.digest('hex').slice(0, 12)
}
