/** Numbers of a version such as `11.1.3`; what is missing counts as 0, what follows the numbers is ignored. */
export type Version = readonly [major: number, minor: number, micro: number]

/** @returns undefined when the text does not begin with a number */
export function parseVersion(text: string): Version | undefined {
  const parts = /^\s*v?(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(text)
  if (parts === null) return undefined
  return [Number(parts[1]), Number(parts[2] ?? 0), Number(parts[3] ?? 0)]
}

/** Negative when `a` is older, positive when it is newer, 0 when they are the same. */
export function compareVersions(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2]
}

export function isAtLeast(version: Version, least: Version): boolean {
  return compareVersions(version, least) >= 0
}
