import {Args, Flags, type Interfaces} from '@oclif/core'
import {UsageError} from '../errors.js'

/** Shapes of flags and arguments that several commands share; texts are part of the man pages. */

/** Flags of every command. */
export const globalFlags = {
  json: Flags.boolean({summary: 'print one JSON document, for errors, too', helpGroup: 'GLOBAL'}),
  quiet: Flags.boolean({char: 'q', summary: 'print nothing but the result and errors', helpGroup: 'GLOBAL'}),
  verbose: Flags.boolean({char: 'v', summary: 'print every command that is sent to the hosts', helpGroup: 'GLOBAL'}),
  'no-color': Flags.boolean({summary: 'no colours; NO_COLOR in the environment does the same', helpGroup: 'GLOBAL'}),
}

/** The inventory; for every command that talks to hosts. */
export const hosts = Flags.custom<string>({
  summary: 'inventory file; else COLO_HOSTS, $XDG_CONFIG_HOME/colo/hosts.yaml, /etc/colo/hosts.yaml',
  helpValue: 'FILE',
  helpGroup: 'GLOBAL',
})

export const outputs = ['table', 'wide', 'json', 'yaml', 'name'] as const
export type Output = (typeof outputs)[number]

/** For commands that print a list. */
export const output = Flags.option({
  char: 'o',
  options: outputs,
  default: 'table',
  summary: 'how to print: a table, more columns, one document, or the names alone',
  helpValue: 'FORMAT',
})

export const dryRun = (more: {readonly dependsOn?: string[]} = {}): Interfaces.BooleanFlag<boolean> =>
  Flags.boolean({summary: 'print the exact commands per host and touch nothing', ...more})

export const yes = (): Interfaces.BooleanFlag<boolean> =>
  Flags.boolean({char: 'y', summary: 'answer the question with yes; needed without a terminal'})

export const force = Flags.custom<string>({
  multiple: true,
  multipleNonGreedy: true,
  summary: 'override one named check or question; may be given several times',
  helpValue: 'WORD',
})

/** A limit such as `60s`; milliseconds when parsed. */
export function timeout(
  standard: string,
  summary = 'give up after this time: 500ms, 60s, 5m, 1h',
): Interfaces.OptionFlag<number> {
  return Flags.custom<number>({
    summary,
    helpValue: 'TIME',
    parse: (input) => timeLimit(input),
    default: () => timeLimit(standard),
    defaultHelp: () => Promise.resolve(standard),
  })()
}

/** A moment: how long ago (`10m`), or an instant (`2026-11-20T10:00:00Z`); milliseconds since 1970 when parsed. */
export const since = Flags.custom<number>({parse: (input) => moment(input, Date.now())})

export const specFile = Flags.custom<string>({
  char: 'f',
  summary: 'spec of the pair, see colo-spec(5)',
  helpValue: 'FILE',
})

/** An argument. Never read from standard input, where oclif looks for one that was left out: a spec for `-f -` may be there. */
export const argument = Args.custom<string>({ignoreStdin: true})

export const pairName = Args.custom<string>({
  ignoreStdin: true,
  description: 'name of the pair',
  parse: (input) => checkedName(input),
})

/** Names are checked here already, so that no odd one ever reaches a host. @throws {UsageError} */
export async function checkedName(input: string): Promise<string> {
  const {parsePairName, quote} = await import('../pair/names.js')
  const checked = parsePairName(input)
  if (checked.ok) return checked.value
  throw new UsageError(`${quote(input)} is not a name of a pair: it ${checked.problem}`, {hint: sentence(checked.hint)})
}

/** @returns milliseconds. @throws {UsageError} without a unit, for zero, and beyond what a timer holds (24 days) */
export async function timeLimit(input: string): Promise<number> {
  const [{parseTime}, {quote}] = await Promise.all([import('../config/units.js'), import('../pair/names.js')])
  const checked = parseTime(input)
  if (!checked.ok) throw new UsageError(`${quote(input)} ${checked.problem}`, {hint: sentence(checked.hint)})
  if (checked.value >= 1 && checked.value < 2 ** 31) return checked.value
  throw new UsageError(`${quote(input)} is not a useful limit`, {hint: 'Give a time from 1ms to 24 days (576h).'})
}

/** @throws {UsageError} for anything that is neither */
export async function moment(input: string, nowMs: number): Promise<number> {
  if (/^\d{4}-\d\d-\d\d/.test(input)) {
    // without a zone it is UTC, as in what is printed
    const atMs = Date.parse(/[zZ]$|[+-]\d\d:?\d\d$/.test(input) || !input.includes('T') ? input : `${input}Z`)
    if (!Number.isNaN(atMs)) return atMs
    throw new UsageError(`${input} is no moment`, {
      hint: 'Give a time such as 2026-11-20T10:00:00Z, or 10m for ten minutes ago.',
    })
  }
  return nowMs - (await timeLimit(input))
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
