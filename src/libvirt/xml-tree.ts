/** A domain document as immutable data: parsed and written by `xml.ts`, edited by the functions below. */
export interface XmlElement {
  readonly kind: 'element'
  /** with prefix, as in `qemu:commandline` */
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly XmlNode[]
}

export type XmlNode =
  XmlElement | {readonly kind: 'text'; readonly text: string} | {readonly kind: 'comment'; readonly text: string}

/** A new element; a string child becomes its text. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string>> = {},
  children: ReadonlyArray<XmlNode | string> = [],
): XmlElement {
  return {
    kind: 'element',
    name,
    attributes,
    children: children.map((node) => (typeof node === 'string' ? {kind: 'text' as const, text: node} : node)),
  }
}

/** Child elements, all or those of one name, in document order. */
export function children(parent: XmlElement, name?: string): XmlElement[] {
  return parent.children.filter(
    (node): node is XmlElement => node.kind === 'element' && (name === undefined || node.name === name),
  )
}

/** The first element reached by following `path`; undefined when there is none. */
export function child(parent: XmlElement, ...path: readonly string[]): XmlElement | undefined {
  let found: XmlElement | undefined = parent
  for (const name of path) {
    if (found === undefined) return undefined
    found = children(found, name)[0]
  }
  return found
}

/** Text directly inside an element, without surrounding blanks; comments are left out. */
export function textOf(node: XmlElement): string {
  return node.children
    .map((part) => (part.kind === 'text' ? part.text : ''))
    .join('')
    .trim()
}

export function attribute(node: XmlElement, name: string): string | undefined {
  return Object.hasOwn(node.attributes, name) ? node.attributes[name] : undefined
}

export function setAttribute(node: XmlElement, name: string, value: string): XmlElement {
  return {...node, attributes: {...node.attributes, [name]: value}}
}

export function append(parent: XmlElement, ...nodes: readonly XmlNode[]): XmlElement {
  return {...parent, children: [...parent.children, ...nodes]}
}

/** Without every child element for which `where` holds. */
export function remove(parent: XmlElement, where: (node: XmlElement) => boolean): XmlElement {
  return {...parent, children: parent.children.filter((node) => node.kind !== 'element' || !where(node))}
}

/** Puts `node` where the first child of its name is and drops others of that name; appends it when there is none. */
export function set(parent: XmlElement, node: XmlElement): XmlElement {
  const at = parent.children.findIndex((other) => isNamed(other, node.name))
  if (at === -1) return append(parent, node)
  const rest = parent.children.filter((other, index) => index === at || !isNamed(other, node.name))
  return {...parent, children: rest.map((other) => (isNamed(other, node.name) ? node : other))}
}

/** Replaces the first child named `name` by `change` of it, or of an empty element when there is none. */
export function edit(parent: XmlElement, name: string, change: (node: XmlElement) => XmlElement): XmlElement {
  const at = parent.children.findIndex((other) => isNamed(other, name))
  const found = at === -1 ? undefined : parent.children[at]
  if (found?.kind !== 'element') return append(parent, change(element(name)))
  return {...parent, children: parent.children.map((other, index) => (index === at ? change(found) : other))}
}

function isNamed(node: XmlNode, name: string): node is XmlElement {
  return node.kind === 'element' && node.name === name
}
