/**
 * Writes what oclif needs to know of all commands into the build, so that a start loads one command and not all of them:
 * dist/oclif.manifest.json. It lies in dist/ because each build makes it anew; one beside package.json would outlive the commands
 * it describes.
 *
 *     node --import tsx .ci/manifest.ts [ROOT]
 */
import {writeFileSync} from 'node:fs'
import {pathToFileURL} from 'node:url'
import {Config, settings} from '@oclif/core'
import {loadOptions} from '../src/cli/main.js'

settings.enableAutoTranspile = false
const given = process.argv[2]
const root = given === undefined ? new URL('../', import.meta.url) : pathToFileURL(`${given}/`)
const code = new URL('dist/', root)
const config = await Config.load(loadOptions({root, code}))
const [plugin] = config.getPluginsList()
if (plugin === undefined || plugin.commands.length === 0) throw new Error(`no commands in ${code.pathname}`)
const {version, commands} = (plugin as unknown as {manifest: {version: string; commands: object}}).manifest
writeFileSync(new URL('oclif.manifest.json', code), `${JSON.stringify({commands, version})}\n`)
