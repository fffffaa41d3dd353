import type {CommandSurface, FlagSurface} from '../surface.js'

/** One place of the command line at which a word is chosen: `` (after `colo`), `pair`. */
export interface TopicWords {
  readonly path: string
  readonly words: ReadonlyArray<{readonly word: string; readonly summary: string}>
}

/** Topics and commands as a tree, each with the words that may follow. */
export function topicsOf(surfaces: readonly CommandSurface[]): readonly TopicWords[] {
  const found = new Map<string, Map<string, string>>()
  for (const {command, aliases, summary} of surfaces) {
    for (const name of [command, ...aliases]) {
      const words = name.split(' ')
      words.forEach((word, index) => {
        const path = words.slice(0, index).join(' ')
        const here = found.get(path) ?? new Map<string, string>()
        const isLast = index === words.length - 1
        if (isLast || !here.has(word)) here.set(word, isLast ? summary : `commands of ${word}`)
        found.set(path, here)
      })
    }
  }
  return [...found].sort(byKey).map(([path, words]) => ({
    path,
    words: [...words].sort(byKey).map(([word, summary]) => ({word, summary})),
  }))
}

/** Every command under each of its names. */
export function namedCommands(surfaces: readonly CommandSurface[]): ReadonlyArray<readonly [string, CommandSurface]> {
  return surfaces
    .flatMap((surface) => [surface.command, ...surface.aliases].map((name) => [name, surface] as const))
    .sort(byKey)
}

/** How a flag's value or an argument is completed. */
export type Completer = {readonly kind: 'words'; readonly words: readonly string[]} | {readonly kind: 'file' | 'none'}

export function completerOf(flag: FlagSurface): Completer {
  if (flag.values !== undefined) return {kind: 'words', words: flag.values}
  if (flag.value === 'FILE') return {kind: 'file'}
  return {kind: 'none'}
}

/** The first argument is a pair that exists. */
export function takesPair({args, command}: CommandSurface): boolean {
  return args[0]?.name === 'NAME' && /^(pair|disk|net) /.test(command)
}

export function spellings(flag: FlagSurface): readonly string[] {
  const off = flag.negatable ? [`--no-${flag.name}`] : []
  return [`--${flag.name}`, ...off, ...(flag.char === undefined ? [] : [`-${flag.char}`])]
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0
}
