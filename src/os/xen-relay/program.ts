import {fileURLToPath} from 'node:url'

import type {Argv} from '../process.js'

/** The command that runs a side of the relay, from the build as well as from the sources. */
export function relayArgv(ordersFile: string): Argv {
  const own = fileURLToPath(import.meta.url)
  const main = own.replace(/program\.(ts|js)$/, 'main.$1')
  return [process.execPath, ...(main.endsWith('.ts') ? ['--import', 'tsx'] : []), main, ordersFile]
}
