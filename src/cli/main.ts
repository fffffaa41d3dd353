import {readFileSync} from 'node:fs'
import {fileURLToPath} from 'node:url'
import type {Interfaces} from '@oclif/core'
import {ColoError, UsageError} from '../errors.js'
import type {OclifFields} from './exit-code-of.js'

/** Where a release lies; directories end with a slash. */
export interface Installation {
  /** directory of package.json */
  readonly root: URL
  /** directory of `commands/`: `dist/` with its manifest, or the root for running the sources, which has none */
  readonly code: URL
}

/** After a command has ended nothing may keep the process; in milliseconds. */
const lingerMs = 2000

/**
 * Runs the command line of this process.
 *
 * oclif does it, but for three things: errors that are not a command's own (an unknown command) are printed like all others, as a
 * document under `--json`; a handle that somebody left open does not keep the process; and the check of Node's version, which costs
 * a tenth of the start, is left to package.json.
 */
export async function main(installation: Installation): Promise<void> {
  process.env['OCLIF_DISABLE_ENGINE_WARNING'] ??= '1'
  const {run, settings} = await import('@oclif/core')
  settings.enableAutoTranspile = false
  const argv = process.argv.slice(2)
  try {
    await run(argv, loadOptions(installation))
    setTimeout(() => process.exit(), lingerMs).unref()
  } catch (error) {
    process.exit(await endOf(error as Error & OclifFields, argv, installation))
  }
}

/** What oclif needs to know of an installation; tests and the generators load the sources with it. */
export function loadOptions({root, code}: Installation): Interfaces.Options {
  const pjson = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as Interfaces.PJSON & {
    oclif: {commands: object}
  }
  pjson.oclif.commands = {...pjson.oclif.commands, target: './commands'}
  return {root: fileURLToPath(code), pjson}
}

/** Prints what no command has printed yet. @returns the exit status */
async function endOf(error: Error & OclifFields, argv: readonly string[], installation: Installation): Promise<number> {
  const {exitCodeOf} = await import('./exit-code-of.js')
  if (error.skipOclifErrorHandling === true || (error as {code?: unknown}).code === 'EEXIT') return exitCodeOf(error)
  const {errorDocument, errorText} = await import('./error-document.js')
  const told = await withCommandNames(error, installation)
  if (argv.includes('--json')) process.stdout.write(`${JSON.stringify(errorDocument(told), undefined, 2)}\n`)
  else process.stderr.write(`${errorText(told)}\n`)
  return exitCodeOf(told)
}

async function withCommandNames(error: Error, installation: Installation): Promise<Error> {
  const id = /^command (.+) not found$/.exec(error.message)?.[1]
  if (id === undefined || error instanceof ColoError) return error
  const [{suggestion}, {quote}, {Config}] = await Promise.all([
    import('../config/suggest.js'),
    import('../pair/names.js'),
    import('@oclif/core'),
  ])
  const config = await Config.load(loadOptions(installation))
  const [topic = '', ...rest] = id.split(':')
  const spaced = (text: string): string => text.replaceAll(':', ' ')
  const names = config.commandIDs.map(spaced).sort()
  const ofTopic = names.filter((name) => name.startsWith(`${topic} `))
  const shown = quote(spaced(id))
  const topics = [...new Set(names.map((name) => name.split(' ')[0] ?? ''))]
  const hint =
    ofTopic.length > 0 && rest.length > 0
      ? suggestion(spaced(id), ofTopic)
      : suggestion(spaced(id), [...names, ...topics])
  return new UsageError(`${shown} is not a command`, {
    hint: hint.startsWith('did') ? hint : 'colo --help lists the commands.',
  })
}
