import {XMLParser, XMLValidator} from 'fast-xml-parser'

import {DecodeError} from '../errors.js'
import {element, type XmlElement, type XmlNode} from './xml-tree.js'

/**
 * Entities are decoded and encoded here: fast-xml-parser 5.12 leaves `&#10;` as it is and then writes `&amp;#10;`.
 * For the same reason the writer is ours; both are a few lines, and the property test holds them to each other.
 */
const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '@_',
  commentPropName: '#comment',
  cdataPropName: '#cdata',
  processEntities: false,
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  onDangerousProperty: (name: string) => {
    throw new Error(`reserved name: ${name}`)
  },
})

/**
 * Parses one document. Comments stay, CDATA becomes text, processing instructions go, and so do blanks between elements.
 *
 * @param source what the text is, for messages: a file name or a command
 * @param root   the name its root element must have
 * @throws {DecodeError} when it is not well-formed, has a DOCTYPE, an unknown entity, or not exactly that root
 */
export function parseXml(text: string, {source, root}: {source: string; root: string}): XmlElement {
  const refuse = (path: string, expected: string, cause?: unknown): DecodeError =>
    new DecodeError({source, path, expected}, {cause})
  if (/<!DOCTYPE/i.test(text)) throw refuse('document', 'XML without a DOCTYPE')
  if (!isXmlText(text)) throw refuse('document', 'XML text: it holds a control character')
  // its successor is a package of its own, which cannot be pinned together with the parser
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  const valid = XMLValidator.validate(text)
  if (valid !== true) throw refuse('document', `well-formed XML: line ${valid.err.line}: ${valid.err.msg}`)
  let nodes: XmlNode[]
  try {
    // the parser drops text after the last tag; with empty CDATA behind it we get to see it
    nodes = nodesOf(parser.parse(`${text}<![CDATA[]]>`))
  } catch (error) {
    throw refuse('document', `well-formed XML: ${error instanceof Error ? error.message : String(error)}`, error)
  }
  const roots = nodes.filter((node) => node.kind === 'element')
  const [first] = roots
  const outside = nodes.some((node) => node.kind === 'text' && node.text.trim() !== '')
  if (first === undefined || roots.length > 1 || first.name !== root || outside) {
    throw refuse('document', `one <${root}> element`)
  }
  return first
}

/**
 * Writes a document, two blanks per level, ended by a newline. An element that holds text is kept on one line, since
 * blanks would become part of it.
 *
 * @throws {RangeError} for a name or text that XML cannot hold
 */
export function buildXml(root: XmlElement): string {
  return `${write(root, '')}\n`
}

function write(node: XmlNode, indent: string): string {
  switch (node.kind) {
    case 'text':
      return escapeText(node.text)
    case 'comment':
      if (node.text.includes('--') || node.text.endsWith('-')) throw new RangeError('a comment cannot hold --')
      return `<!--${checked(node.text)}-->`
    case 'element':
      return writeElement(node, indent)
  }
}

function writeElement(node: XmlElement, indent: string): string {
  const attributes = Object.entries(node.attributes).map(
    ([name, value]) => ` ${checkedName(name)}='${escapeAttribute(value)}'`,
  )
  const open = `${checkedName(node.name)}${attributes.join('')}`
  const inner = node.children.filter((part) => part.kind !== 'text' || part.text !== '')
  if (inner.length === 0) return `<${open}/>`
  if (inner.some((part) => part.kind === 'text')) {
    return `<${open}>${inner.map((part) => write(part, indent)).join('')}</${node.name}>`
  }
  const lines = inner.map((part) => `${indent}  ${write(part, `${indent}  `)}\n`)
  return `<${open}>\n${lines.join('')}${indent}</${node.name}>`
}

const namePattern = /^[A-Za-z_][\w.-]*(:[A-Za-z_][\w.-]*)?$/

function checkedName(name: string): string {
  if (!namePattern.test(name)) throw new RangeError(`not an XML name: ${JSON.stringify(name)}`)
  return name
}

function checked(text: string): string {
  if (!isXmlText(text)) throw new RangeError(`not XML text: ${JSON.stringify(text)}`)
  return text
}

/** XML 1.0, production Char: no control characters but tab, newline and return, no lone surrogates. */
function isXmlText(text: string): boolean {
  return !/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u.test(text)
}

function escapeText(text: string): string {
  return checked(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('\r', '&#13;')
}

/** Blanks but the space are written as references: a reader turns them into spaces otherwise. */
function escapeAttribute(value: string): string {
  return escapeText(value).replaceAll("'", '&apos;').replaceAll('\t', '&#9;').replaceAll('\n', '&#10;')
}

const named: Readonly<Record<string, string>> = {lt: '<', gt: '>', amp: '&', quot: '"', apos: "'"}

function decodeEntities(raw: string): string {
  return raw.replace(/&([^;&]*);?/g, (whole, name: string) => {
    const number = /^#(?:x([0-9a-fA-F]{1,6})|(\d{1,7}))$/.exec(name)
    const decoded =
      number === null
        ? Object.hasOwn(named, name)
          ? named[name]
          : undefined
        : codePoint(number[1] === undefined ? Number(number[2]) : parseInt(number[1], 16))
    if (decoded === undefined || !whole.endsWith(';')) throw new Error(`unknown entity ${whole.slice(0, 20)}`)
    return decoded
  })
}

function codePoint(code: number): string | undefined {
  if (code > 0x10ffff) return undefined
  const text = String.fromCodePoint(code)
  return isXmlText(text) ? text : undefined
}

/** From fast-xml-parser's ordered form, `[{name: [...], ':@': {'@_attribute': value}}]`. */
function nodesOf(parsed: unknown): XmlNode[] {
  if (!Array.isArray(parsed)) throw new Error('no ordered list from the parser')
  const nodes = (parsed as ReadonlyArray<Readonly<Record<string, unknown>>>).map(nodeOf)
  const joined = joinText(nodes)
  const mixed = joined.some((node) => node.kind === 'text' && node.text.trim() !== '')
  if (mixed || !joined.some((node) => node.kind !== 'text')) return joined
  return joined.filter((node) => node.kind !== 'text')
}

function nodeOf(item: Readonly<Record<string, unknown>>): XmlNode {
  const name = Object.keys(item).find((key) => key !== ':@')
  if (name === undefined) throw new Error('an item without a name from the parser')
  const value = item[name]
  if (name === '#text') return {kind: 'text', text: decodeEntities(newlines(String(value)))}
  if (name === '#cdata') return {kind: 'text', text: newlines(rawText(value))}
  if (name === '#comment') return {kind: 'comment', text: newlines(rawText(value))}
  const attributes = Object.entries((item[':@'] ?? {}) as Readonly<Record<string, unknown>>)
  return element(
    name,
    Object.fromEntries(
      attributes.map(([key, raw]) => [key.slice(2), decodeEntities(String(raw).replace(/\r\n|[\t\n\r]/g, ' '))]),
    ),
    nodesOf(value),
  )
}

function rawText(value: unknown): string {
  if (!Array.isArray(value)) return ''
  return (value as ReadonlyArray<Readonly<Record<string, unknown>>>)
    .map((part) => part['#text'])
    .filter((part) => typeof part === 'string')
    .join('')
}

/** XML 1.0, section 2.11. */
function newlines(text: string): string {
  return text.replace(/\r\n?/g, '\n')
}

function joinText(nodes: readonly XmlNode[]): XmlNode[] {
  const joined: XmlNode[] = []
  for (const node of nodes) {
    const last = joined.at(-1)
    if (node.kind === 'text' && last?.kind === 'text')
      joined[joined.length - 1] = {kind: 'text', text: last.text + node.text}
    else joined.push(node)
  }
  return joined.filter((node) => node.kind !== 'text' || node.text !== '')
}
