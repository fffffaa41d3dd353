import {readFileSync} from 'node:fs'
import {fileURLToPath} from 'node:url'
import {Config, settings} from '@oclif/core'

const root = fileURLToPath(new URL('..', import.meta.url))
let loaded: Promise<Config> | undefined

/** The commands as they are in the sources, never those of a build; see bin/dev.js. */
export function sourceConfig(): Promise<Config> {
  settings.enableAutoTranspile = false
  const pjson = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as {oclif: {commands: object}}
  pjson.oclif.commands = {...pjson.oclif.commands, target: './commands'}
  loaded ??= Config.load({root, pjson: pjson as never, ignoreManifest: true})
  return loaded
}
