import {element, textOf, type XmlElement} from './xml-tree.js'

/** What became of one leaf of a foreign definition, or of a whole part when it was refused or dropped. */
export interface Finding {
  /** as in `devices/disk[2]/driver/@iothread`, below `<domain>` */
  readonly place: string
  readonly outcome: 'carried' | 'changed' | 'refused' | 'dropped'
  /** what stands there; absent for a whole part */
  readonly value?: string
  /** why it is changed or refused */
  readonly why?: string
  /** refused, and no `--drop` helps */
  readonly final?: true
}

/** What the allow-list says of one part: `true` carries it, a pattern carries values that match. */
export type Part = true | RegExp | Refused | Changed | Within | ((node: XmlElement) => Part)

interface Refused {
  readonly refuse: string
  readonly final?: true
}
interface Changed {
  readonly change: string
}
interface Within {
  /** by `@attribute`, `#text`, name of a child; `**` carries whatever is below */
  readonly parts: Readonly<Record<string, Part>>
}

/** Refused; accepted when the user drops it by name. */
export const refuse = (why: string): Refused => ({refuse: why})
/** Refused, and nothing overrides it: without it the guest would not be the same, or would lose data. */
export const never = (why: string): Refused => ({refuse: why, final: true})
/** Not carried over and not seen by the guest. */
export const change = (why: string): Changed => ({change: why})
export const within = (parts: Readonly<Record<string, Part>>): Within => ({parts})

/** Collects what became of every leaf. */
export class Ledger {
  #findings: Finding[] = []
  readonly #places = new WeakMap<XmlElement, string>()
  readonly #drop: readonly string[]
  readonly #used = new Set<string>()
  #count = 0

  /** @param drop words of `--drop`: a place or the end of one, indices may be left out */
  constructor(drop: readonly string[]) {
    this.#drop = drop
  }

  get findings(): readonly Finding[] {
    return this.#findings
  }

  /** How many things were found so far, superseded ones included. */
  get count(): number {
    return this.#count
  }

  /** Words that named nothing that was refused. */
  get unusedWords(): readonly string[] {
    return this.#drop.filter((word) => !this.#used.has(word))
  }

  /** Where an element that went through the allow-list stood in the foreign definition. */
  placeOf(node: XmlElement): string {
    return this.#places.get(node) ?? node.name
  }

  stood(node: XmlElement, place: string): XmlElement {
    this.#places.set(node, place)
    return node
  }

  carried(place: string, value?: string): void {
    this.#add({place, outcome: 'carried', ...(value === undefined ? {} : {value})})
  }

  changed(place: string, why: string, value?: string): void {
    this.#add({place, outcome: 'changed', why, ...(value === undefined ? {} : {value})})
  }

  /** Also for what was taken for carried at first. @returns whether the user drops it */
  refused(place: string, {refuse: why, final}: Refused, value?: string): boolean {
    const words = final === true ? [] : this.#drop.filter((word) => names(word, place))
    for (const word of words) this.#used.add(word)
    const dropped = words.length > 0
    this.#findings = this.#findings.filter(
      (other) => other.outcome !== 'carried' || (other.place !== place && !other.place.startsWith(`${place}/`)),
    )
    this.#add({
      place,
      outcome: dropped ? 'dropped' : 'refused',
      why,
      ...(value === undefined ? {} : {value}),
      ...(final === true ? {final} : {}),
    })
    return dropped
  }

  #add(finding: Finding): void {
    this.#count++
    this.#findings.push(finding)
  }
}

/**
 * Passes a definition through the allow-list: what is returned is what may be carried over. Nothing disappears without a finding: each
 * attribute, text and empty element of the input has one of its own, or lies below a part that has one.
 */
export function sift(node: XmlElement, rule: Within, place: string, ledger: Ledger): XmlElement {
  const {parts} = rule
  if (Object.hasOwn(parts, '**')) {
    ledger.carried(place)
    return ledger.stood(node, place)
  }
  const at = (name: string): string => (place === '' ? name : `${place}/${name}`)
  const before = ledger.count
  const attributes = Object.entries(node.attributes).flatMap(([name, value]) => {
    const part = Object.hasOwn(parts, `@${name}`) ? parts[`@${name}`] : name.startsWith('xmlns:') ? true : undefined
    return passes(part, {value, place: at(`@${name}`), ledger, node}) ? [[name, value] as const] : []
  })
  const text = textOf(node)
  const hasText = text !== '' && passes(parts['#text'], {value: text, place: at('text()'), ledger, node})
  const elements = node.children.flatMap((child) => {
    if (child.kind !== 'element') return []
    const below = siftChild(child, Object.hasOwn(parts, child.name) ? parts[child.name] : undefined, {
      place: at(indexed(node, child)),
      ledger,
    })
    return below === undefined ? [] : [below]
  })
  if (ledger.count === before && place !== '') ledger.carried(place)
  const clean = element(node.name, Object.fromEntries(attributes), [...(hasText ? [text] : []), ...elements])
  return ledger.stood(clean, place)
}

function siftChild(
  node: XmlElement,
  part: Part | undefined,
  {place, ledger}: {place: string; ledger: Ledger},
): XmlElement | undefined {
  const resolved = resolve(part, node)
  if (resolved === undefined) {
    ledger.refused(place, refuse('is not known to colo'))
    return undefined
  }
  if (resolved === true) return sift(node, textOnly(true), place, ledger)
  if (resolved instanceof RegExp) return sift(node, textOnly(resolved), place, ledger)
  if ('parts' in resolved) return sift(node, resolved, place, ledger)
  if ('change' in resolved) ledger.changed(place, resolved.change, textOf(node) || undefined)
  else ledger.refused(place, resolved)
  return undefined
}

const textOnly = (part: Part): Within => within({'#text': part})

interface Leaf {
  readonly value: string
  readonly place: string
  readonly ledger: Ledger
  readonly node: XmlElement
}

function passes(part: Part | undefined, leaf: Leaf): boolean {
  const {value, place, ledger, node} = leaf
  const resolved = resolve(part, node)
  if (resolved === true || (resolved instanceof RegExp && resolved.test(value))) {
    ledger.carried(place, value)
    return true
  }
  if (resolved === undefined || resolved instanceof RegExp) {
    ledger.refused(place, refuse(`${resolved === undefined ? 'is' : 'has a value that is'} not known to colo`), value)
  } else if ('change' in resolved) ledger.changed(place, resolved.change, value)
  else if ('refuse' in resolved) ledger.refused(place, resolved, value)
  else throw new Error(`${place}: the allow-list has parts for a value`)
  return false
}

function resolve(part: Part | undefined, node: XmlElement): Exclude<Part, (node: XmlElement) => Part> | undefined {
  let resolved = part
  while (typeof resolved === 'function') resolved = resolved(node)
  return resolved
}

/** `disk[2]` among several, `disk` alone; XPath counts from 1. */
function indexed(parent: XmlElement, node: XmlElement): string {
  const alike = parent.children.filter((other) => other.kind === 'element' && other.name === node.name)
  return alike.length === 1 ? node.name : `${node.name}[${alike.indexOf(node) + 1}]`
}

/** Whether a user's word means a place: all of it, or its end, with or without indices and `@`: `devices/disk[1]/iotune`, `disk/iotune`, `iotune`. */
function names(word: string, place: string): boolean {
  const wanted = word.replace(/^\/?(domain\/)?/, '')
  const plain = place.replace(/\[\d+\]/g, '')
  return [place, plain, plain.replaceAll('@', '')].some((name) => name === wanted || name.endsWith(`/${wanted}`))
}
