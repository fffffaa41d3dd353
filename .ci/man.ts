/**
 * Fills the generated parts of man/*: titles, commands and options from the commands themselves, exit statuses from
 * src/exit-codes.ts, the keys of a spec from docs/spec.md. Everything outside the marks is written by hand.
 *
 *     node --import tsx .ci/man.ts
 */
import {readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {fileURLToPath} from 'node:url'
import {surfaceOf, type CommandSurface, type FlagSurface} from '../src/cli/surface.js'
import {exitCodeMeanings} from '../src/exit-codes.js'
import {escaped, inline, markdownToRoff, paragraphs} from './roff.js'
import {sourceConfig} from './source-config.js'

const pages = new URL('../man/', import.meta.url)

/** What may stand in a page. `argument` is the rest of the mark: `.\" BEGIN commands pair`. */
export interface ManFacts {
  readonly surface: readonly CommandSurface[]
  readonly version: string
  readonly spec: string
}

export async function manFacts(): Promise<ManFacts> {
  const {version} = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {version: string}
  return {
    surface: await surfaceOf(await sourceConfig()),
    version,
    spec: readFileSync(new URL('../docs/spec.md', import.meta.url), 'utf8'),
  }
}

/** The page with every part between `.\" BEGIN ...` and `.\" END` made anew. @throws when a mark is unknown or not closed */
export function filledPage(page: string, facts: ManFacts): string {
  const begins = page.match(/^\.\\" BEGIN /gm)?.length ?? 0
  const marks = /^(\.\\" BEGIN (\S+) ?(.*))\n[^]*?^(\.\\" END)$/gm
  let filled = 0
  const text = page.replace(marks, (_, begin: string, kind: string, argument: string, end: string) => {
    filled++
    return [begin, ...part(kind, argument, facts), end].join('\n')
  })
  if (filled !== begins) throw new Error(`${begins - filled} marks without an end`)
  return text
}

function part(kind: string, argument: string, {surface, version, spec}: ManFacts): string[] {
  switch (kind) {
    case 'title':
      return [`.TH ${argument} "" "colo ${version}" "COLO toolstack"`]
    case 'overview':
      return surface.flatMap(({command, summary}) => ['.TP', `\\fBcolo ${escaped(command)}\\fR`, inline(summary)])
    case 'commands':
      return surface.filter(({command}) => command.split(' ')[0] === argument).flatMap(commandPart)
    case 'global-options':
      return (surface.find(({command}) => command === 'pair status')?.flags ?? [])
        .filter(({global}) => global)
        .flatMap(flagPart)
    case 'exit-status':
      return exitCodeMeanings.flatMap(([status, meaning]) => ['.TP', `\\fB${status}\\fR`, inline(meaning)])
    case 'spec':
      return markdownToRoff(spec)
    case 'screen':
      return ['.RS 2', '.nf', ...screenLines(argument), '.fi', '.RE']
    default:
      throw new Error(`unknown mark: ${kind}`)
  }
}

/** A captured screen; see .ci/screens.ts. A line that begins with a dot would be a request. */
function screenLines(name: string): string[] {
  const text = readFileSync(new URL(`../docs/screens/${name}.txt`, import.meta.url), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .map((line) => (/^[.']/.test(line) ? `\\&${escaped(line)}` : escaped(line)))
}

function commandPart(surface: CommandSurface): string[] {
  const {command, aliases, args, summary, description, flags, examples, open} = surface
  const own = flags.filter(({global}) => !global)
  const words = args.map(({name, required}) => (required ? `\\fI${name}\\fR` : `[\\fI${name}\\fR]`))
  const sentence = `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`
  return [
    `.SS ${['colo', command, ...words.map((word) => word.replaceAll('\\fI', '').replaceAll('\\fR', ''))].join(' ')}`,
    inline(sentence),
    ...(description === '' ? [] : ['.PP', ...paragraphs(description)]),
    ...(aliases.length === 0 ? [] : ['.PP', `Also: ${aliases.map((alias) => `\\fBcolo ${alias}\\fR`).join(', ')}.`]),
    ...args.flatMap(({name, description: text, values}) => [
      '.TP',
      `\\fI${name}\\fR${open ? ' ...' : ''}`,
      inline(values === undefined ? text : `${text}: ${values.join(', ')}`),
    ]),
    ...own.flatMap(flagPart),
    '.PP',
    'For example:',
    '.RS 4',
    '.nf',
    ...examples.map(escaped),
    '.fi',
    '.RE',
  ]
}

function flagPart({name, char, summary, type, negatable, value, values, required, standard}: FlagSurface): string[] {
  const short = char === undefined ? '' : `\\fB\\-${char}\\fR, `
  const taken = type === 'boolean' ? '' : ` \\fI${value ?? ''}\\fR`
  const notes = [
    ...(values === undefined ? [] : [`one of ${values.join(', ')}`]),
    ...(standard === undefined ? [] : [`default ${standard}`]),
    ...(required ? ['required'] : []),
  ]
  return [
    '.TP',
    `${short}\\fB\\-\\-${negatable ? '[no\\-]' : ''}${escaped(name)}\\fR${taken}`,
    inline(`${summary}${notes.length > 0 ? ` (${notes.join('; ')})` : ''}`),
  ]
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const facts = await manFacts()
  for (const name of readdirSync(pages)) {
    const file = new URL(name, pages)
    writeFileSync(file, filledPage(readFileSync(file, 'utf8'), facts))
  }
}
