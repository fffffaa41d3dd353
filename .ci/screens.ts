/**
 * Writes the screens of `colo top` into docs/screens, from where the manual page takes them:
 *
 *     node --import tsx .ci/screens.ts && node --import tsx .ci/man.ts
 */
import {mkdirSync, writeFileSync} from 'node:fs'
import {screens} from '../test/golden/tui/screens.js'

const directory = new URL('../docs/screens/', import.meta.url)
mkdirSync(directory, {recursive: true})
for (const [name, text] of screens()) writeFileSync(new URL(`${name}.txt`, directory), text)
