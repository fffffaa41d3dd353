/** Colour codes of a terminal; the meaning is always in the word, too. */
const codes = {red: 31, green: 32, yellow: 33, bold: 1, dim: 2} as const
export type Color = keyof typeof codes

/** What decides about colour: the stream that is written to, and the environment. */
export interface ColorFacts {
  readonly isTerminal: boolean
  readonly env: Readonly<Record<string, string | undefined>>
}

export type Paint = (color: Color, text: string) => string

/** Paints on a terminal unless NO_COLOR is set or TERM is `dumb`; else gives texts back as they are. @see https://no-color.org */
export function painter({isTerminal, env}: ColorFacts): Paint {
  const noColor = env['NO_COLOR']
  const on = isTerminal && (noColor === undefined || noColor === '') && env['TERM'] !== 'dumb'
  return on ? (color, text) => `\u001b[${codes[color]}m${text}\u001b[0m` : (_, text) => text
}
