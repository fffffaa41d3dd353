/** Commands that a text names, without `colo pair`: of `colo pair failover web1 --to beta; ...` it is `failover web1 --to beta`. */
export function commandsIn(text: string | undefined): string[] {
  return [...(text ?? '').matchAll(/colo pair ([a-z-]+(?: [^;&,:()\n]+)?)/g)].map(([, line = '']) => line.trim())
}

/** Hints that lead elsewhere: to look, or to give the pair up. */
export const leadsElsewhere = /^(status|destroy|list|wait)/
