/**
 * Exit statuses of every `colo` command. They never change meaning; the man page prints this table.
 *
 * @see docs/decisions and man/colo.1: EXIT STATUS
 */
export const exitCodes = {
  done: 0,
  internal: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  wrongState: 5,
  preflight: 6,
  notProtected: 10,
  degraded: 11,
  splitBrain: 12,
  unreachable: 20,
  timedOut: 21,
  refused: 22,
  interrupted: 130,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** What each status means, in the order they are documented. */
export const exitCodeMeanings: ReadonlyArray<readonly [ExitCode, string]> = [
  [0, 'done'],
  [1, 'internal error'],
  [2, 'usage or bad input'],
  [3, 'not found'],
  [4, 'already exists, or conflict with another pair or operation'],
  [5, 'wrong state for this operation'],
  [6, 'preflight failed'],
  [10, 'not protected'],
  [11, 'degraded'],
  [12, 'split-brain'],
  [20, 'host unreachable'],
  [21, 'timed out'],
  [22, 'refused by the arbiter or the start rules'],
  [130, 'interrupted'],
]
