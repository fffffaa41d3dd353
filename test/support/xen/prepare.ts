import {ensureXenRootfs} from './rootfs.js'

/** Builds what test/lab/xen.test.ts boots: minutes without a cache, nothing with it. Needs root and a Debian mirror. */
const start = performance.now()
const directory = await ensureXenRootfs()
console.log(`${directory}: ready (${Math.round((performance.now() - start) / 1000)} s)`)
