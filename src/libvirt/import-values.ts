import {bad, parseFilePath, type Checked} from '../pair/names.js'
import {never, type Ledger} from './import-sieve.js'

/** A checked value; a bad one becomes a finding that nothing overrides. */
export function valueOf<V>(checked: Checked<V>, at: {readonly ledger: Ledger; readonly place: string}): V | undefined {
  if (checked.ok) return checked.value
  at.ledger.refused(at.place, never(`${checked.problem}: ${checked.hint}`))
  return undefined
}

/** An image must not be named as overlays are: those are deleted and made anew. */
export function parseImagePath(text: string): Checked<string> {
  if (/\.(active|hidden)\.qcow2$/.test(text)) return bad('has the name of an overlay', 'rename the image')
  return parseFilePath(text)
}
