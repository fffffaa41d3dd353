/**
 * The language of xl.cfg: assignments of a string, a number or a list to a name. Stricter than xl's own parser: each name once, and only
 * the escapes that every xl reads alike.
 *
 * @see xen-project/xen tools/libs/util/libxlu_cfg_l.l, libxlu_cfg_y.y
 */
export type CfgValue = string | number | readonly CfgValue[]

export interface CfgEntry {
  readonly key: string
  readonly value: CfgValue
  /** from 1 */
  readonly line: number
}

/** Why a text is no xl.cfg. */
export interface CfgProblem {
  readonly line: number
  readonly problem: string
  /** xl says nothing about it, or drops the setting and goes on with exit status 0 */
  readonly laxity: boolean
}

export interface CfgText {
  readonly entries: readonly CfgEntry[]
  readonly problems: readonly CfgProblem[]
}

type Token = {readonly line: number} & (
  | {readonly type: 'name' | 'string'; readonly text: string}
  | {readonly type: 'number'; readonly value: number}
  | {readonly type: 'sign'; readonly text: string}
)

/** Never throws: what is wrong stands in `problems`, the first syntax error ends the reading as it does in xl. */
export function parseXlCfg(text: string): CfgText {
  const problems: CfgProblem[] = []
  const tokens = tokenize(text, problems)
  if (tokens === undefined) return {entries: [], problems}
  const reader = new Reader(tokens)
  const entries: CfgEntry[] = []
  try {
    for (;;) {
      const entry = reader.statement()
      if (entry === undefined) break
      if (entries.some(({key}) => key === entry.key)) {
        problems.push({line: entry.line, problem: `${entry.key} is set twice`, laxity: true})
      }
      entries.push(entry)
    }
  } catch (error) {
    if (!(error instanceof Syntax)) throw error
    problems.push({line: error.line, problem: error.message, laxity: false})
  }
  return {entries, problems}
}

/** The value of a setting: xl takes the last one. */
export function lastValue(entries: readonly CfgEntry[], key: string): CfgValue | undefined {
  return entries.filter((entry) => entry.key === key).at(-1)?.value
}

/** A string as xl.cfg wants it. @param text  without line breaks and control characters */
export function quoteCfg(text: string): string {
  return `"${text.replace(/[\\"]/g, (character) => `\\${character}`)}"`
}

class Syntax extends Error {
  readonly line: number
  constructor(line: number, problem: string) {
    super(problem)
    this.line = line
  }
}

const escapes: Readonly<Record<string, string>> = {'\\': '\\', '"': '"', "'": "'", n: '\n', t: '\t', r: '\r'}

function tokenize(text: string, problems: CfgProblem[]): readonly Token[] | undefined {
  const tokens: Token[] = []
  const pattern =
    /([ \t]+)|(#[^\n]*(?=\n))|(\n)|([a-z][_0-9a-z]*)|([0-9][0-9a-fx]*)|('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")|(\+=|[=,;[\]])/gy
  let line = 1
  for (let at = 0; at < text.length; at = pattern.lastIndex) {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found === null) {
      problems.push({
        line,
        problem: `what follows is no part of the language: ${text.slice(at, at + 12)}`,
        laxity: false,
      })
      return undefined
    }
    const [, , , newline, name, number, string, sign] = found
    if (newline !== undefined) tokens.push({type: 'sign', text: '\n', line: line++})
    else if (name !== undefined) tokens.push({type: 'name', text: name, line})
    else if (number !== undefined) {
      if (!/^(0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)$/.test(number)) {
        problems.push({line, problem: `${number} is not a number`, laxity: true})
      }
      tokens.push({type: 'number', value: Number(/^0[0-7]+$/.test(number) ? `0o${number}` : number), line})
    } else if (string !== undefined) tokens.push({type: 'string', text: unquote(string, line, problems), line})
    else if (sign !== undefined) tokens.push({type: 'sign', text: sign, line})
  }
  return tokens
}

function unquote(quoted: string, line: number, problems: CfgProblem[]): string {
  return quoted.slice(1, -1).replace(/\\(.)/g, (whole, character: string) => {
    const value = escapes[character]
    if (value === undefined) {
      // xl knows octal and some more, and trips over \x
      problems.push({
        line,
        problem: `the escape ${whole} is not read alike everywhere`,
        laxity: /[0-7abfvx]/.test(character),
      })
    }
    return value ?? whole
  })
}

class Reader {
  readonly #tokens: readonly Token[]
  #at = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  /** The next assignment; undefined at the end. */
  statement(): CfgEntry | undefined {
    while (this.#sign('\n') || this.#sign(';'));
    const name = this.#tokens[this.#at++]
    if (name === undefined) return undefined
    if (name.type !== 'name') throw this.#unexpected(name, 'a name')
    if (!this.#sign('=')) throw this.#unexpected(this.#tokens[this.#at], '=')
    const value = this.#value()
    const after = this.#tokens[this.#at]
    if (after !== undefined && !this.#sign('\n') && !this.#sign(';'))
      throw this.#unexpected(after, 'the end of the line')
    return {key: name.text, value, line: name.line}
  }

  #value(): CfgValue {
    const token = this.#tokens[this.#at++]
    if (token?.type === 'string') return token.text
    if (token?.type === 'number') return token.value
    if (token?.type === 'sign' && token.text === '[') return this.#list()
    throw this.#unexpected(token, 'a value')
  }

  #list(): CfgValue[] {
    const values: CfgValue[] = []
    for (;;) {
      while (this.#sign('\n'));
      if (this.#sign(']')) return values
      values.push(this.#value())
      while (this.#sign('\n'));
      if (this.#sign(']')) return values
      if (!this.#sign(',')) throw this.#unexpected(this.#tokens[this.#at], ', or ]')
    }
  }

  #sign(text: string): boolean {
    const token = this.#tokens[this.#at]
    if (token?.type !== 'sign' || token.text !== text) return false
    this.#at++
    return true
  }

  #unexpected(token: Token | undefined, wanted: string): Syntax {
    const line = token?.line ?? this.#tokens.at(-1)?.line ?? 1
    return new Syntax(line, `expected ${wanted}`)
  }
}
