/** What an agent calls itself in locks, for what it does after the boot of its host. */
export const bootOwner = (host: string): string => `the agent on ${host}, after its boot`

export function isBootOwner(owner: string): boolean {
  return bootHostOf(owner) !== undefined
}

/** The host whose agent it is. */
export function bootHostOf(owner: string): string | undefined {
  return /^the agent on (.*), after its boot$/.exec(owner)?.[1]
}
