import type {LineCounter} from 'yaml'

import {ConfigError, type SourcePlace} from '../errors.js'

/** One thing that is wrong in a file. `path` is the field, as in `disks[0].size`; empty for the file itself. */
export interface Problem {
  readonly place: SourcePlace
  readonly path: string
  readonly message: string
  readonly hint?: string | undefined
}

/** Everything that is wrong in a file, sorted by place. The message is the first problem, the hint lists the others. */
export class ConfigProblems extends ConfigError {
  readonly problems: readonly Problem[]

  /** @param problems  at least one */
  constructor(first: Problem, others: readonly Problem[]) {
    super(first.place, text(first), {hint: hintOf(first, others)})
    this.problems = [first, ...others]
  }
}

/** How many further problems a hint lists. */
const listed = 20

function hintOf(first: Problem, others: readonly Problem[]): string | undefined {
  if (others.length === 0) return first.hint
  const lines = others.slice(0, listed).map((problem) => {
    const where = `${problem.place.file}:${problem.place.line}:${problem.place.column}`
    return `  ${where}: ${text(problem)}${problem.hint === undefined ? '' : ` (${problem.hint})`}`
  })
  if (others.length > listed) lines.push(`  and ${others.length - listed} more`)
  return [...(first.hint === undefined ? [] : [first.hint]), `also wrong:`, ...lines].join('\n')
}

function text(problem: Problem): string {
  return problem.path === '' ? problem.message : `${problem.path}: ${problem.message}`
}

/** Collects problems while a file is read, so that all of them are shown at once. */
export class Report {
  readonly #file: string
  readonly #lines: LineCounter
  readonly #problems: Problem[] = []

  constructor(file: string, lines: LineCounter) {
    this.#file = file
    this.#lines = lines
  }

  /** @param offset  index into the text the line counter has seen */
  add(at: {readonly offset: number; readonly path: string}, message: string, hint?: string): void {
    const {line, col} = this.#lines.linePos(at.offset)
    const place = {file: this.#file, line: Math.max(line, 1), column: Math.max(col, 1)}
    this.#problems.push({place, path: at.path, message, hint})
  }

  /** @throws {ConfigProblems} when something was added */
  throwIfAny(): void {
    const [first, ...others] = [...this.#problems].sort(
      (a, b) => a.place.line - b.place.line || a.place.column - b.place.column,
    )
    if (first !== undefined) throw new ConfigProblems(first, others)
  }
}
