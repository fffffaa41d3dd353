/**
 * Commands that a text names, without `colo pair`: of `colo pair failover web1 --to beta; ...` it is `failover web1 --to beta`. Of other topics
 * with the topic: `disk clean web1`.
 */
export function commandsIn(text: string | undefined): string[] {
  const found = (text ?? '').matchAll(/colo (?:pair |(?=disk ))([a-z-]+(?: [^;&,:()\n]+)?)/g)
  return [...found].map(([, line = '']) => line.trim())
}

/** Hints that lead elsewhere: to look, or to give the pair up. */
export const leadsElsewhere = /^(status|destroy|list|wait)/
