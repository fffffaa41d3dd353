/**
 * The candidate a misspelt word most likely meant, or undefined when none is near: the same but for case, `-` and `_`,
 * or within one edit per three characters (insert, delete, replace, swap neighbours).
 */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  if (word.length > 60) return undefined
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[-_ ]/g, '')
  const same = candidates.find((candidate) => plain(candidate) === plain(word))
  if (same !== undefined) return same
  let best: {readonly candidate: string; readonly edits: number} | undefined
  for (const candidate of candidates) {
    const edits = distance(plain(word), plain(candidate))
    const allowed = Math.max(1, Math.floor(Math.max(word.length, candidate.length) / 3))
    if (edits <= allowed && edits < Math.min(word.length, candidate.length) && edits < (best?.edits ?? Infinity)) {
      best = {candidate, edits}
    }
  }
  return best?.candidate
}

/** `did you mean X?` when one is near, else the list of what is possible. */
export function suggestion(word: string, candidates: readonly string[]): string {
  const guess = closest(word, candidates)
  return guess === undefined ? `possible are: ${candidates.join(', ')}` : `did you mean ${guess}?`
}

/** Optimal string alignment distance. */
function distance(a: string, b: string): number {
  let previous: number[] = []
  let row = Array.from({length: b.length + 1}, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(row, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(previous, j - 2) + 1 : Infinity
      next.push(Math.min(at(row, j) + 1, at(next, j - 1) + 1, replaced, swapped))
    }
    previous = row
    row = next
  }
  return at(row, b.length)
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Infinity
}
