/** One finding of the preflight. */
export interface Check {
  /** stable, kebab-case; what `--force` names */
  readonly id: string
  readonly host?: string
  readonly verdict: 'pass' | 'warn' | 'fail'
  /** what was found, one sentence without a full stop */
  readonly message: string
  /** what to do about it: a command or a sentence */
  readonly remedy?: string
  /** a failed check that `--force ID` may override; false where going on would break the pair for certain */
  readonly overridable: boolean
}

/** Where a finding belongs. */
export interface About {
  readonly id: string
  readonly host?: string
}

export function pass(about: About, message: string): Check {
  return {...about, verdict: 'pass', message, overridable: true}
}

export function warn(about: About, message: string, remedy?: string): Check {
  return {...about, verdict: 'warn', message, ...(remedy === undefined ? {} : {remedy}), overridable: true}
}

/** Fails for certain: no word overrides it. */
export function fail(about: About, message: string, remedy: string): Check {
  return {...about, verdict: 'fail', message, remedy, overridable: false}
}

/** Fails, but the user may know better: `--force ID`. */
export function failUnlessForced(about: About, message: string, remedy: string): Check {
  return {...about, verdict: 'fail', message, remedy, overridable: true}
}

/** The checks that stop an operation: failed, and not named by `--force`, or not to be overridden. */
export function blocking(checks: readonly Check[], force: readonly string[] = []): Check[] {
  return checks.filter(({verdict, id, overridable}) => verdict === 'fail' && !(overridable && force.includes(id)))
}

/** The worst verdict; `pass` for none. */
export function worst(checks: readonly Check[]): Check['verdict'] {
  if (checks.some(({verdict}) => verdict === 'fail')) return 'fail'
  return checks.some(({verdict}) => verdict === 'warn') ? 'warn' : 'pass'
}
