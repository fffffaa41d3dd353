import {Config, settings} from '@oclif/core'
import {loadOptions} from '../src/cli/main.js'

const root = new URL('../', import.meta.url)
let loaded: Promise<Config> | undefined

/** The commands as they are in the sources, never those of a build. */
export function sourceConfig(): Promise<Config> {
  settings.enableAutoTranspile = false
  loaded ??= Config.load(loadOptions({root, code: root}))
  return loaded
}
