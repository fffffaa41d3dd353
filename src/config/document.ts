import {CST, isMap, isScalar, isSeq, Lexer, LineCounter, parseDocument, type Node, type YAMLMap} from 'yaml'

import {quote} from '../pair/names.js'
import {Report} from './report.js'

/** Largest file that is read. */
export const maxTextBytes = 1024 * 1024
const maxTokens = 20_000
const maxFlowDepth = 20
const maxIndent = 100
const maxIndicatorsInRow = 10

/** A YAML text, taken apart: scalars are texts as written (YAML's failsafe schema), nothing is resolved. */
export interface ConfigDocument {
  readonly root: YAMLMap
  readonly report: Report
}

/**
 * Parses one YAML document. What could surprise or exhaust is refused before the parser builds anything: aliases,
 * anchors, tags, directives, several documents, deep nesting, too many tokens, duplicate keys and keys that are no text.
 *
 * @throws {ConfigProblems} with the place of each problem
 */
export function parseConfigDocument(text: string, file: string): ConfigDocument {
  const source = text.startsWith('\uFEFF') ? text.slice(1) : text
  const lines = new LineCounter()
  lines.lineStarts = lineStarts(source)
  const report = new Report(file, lines)
  if (Buffer.byteLength(text) > maxTextBytes) {
    report.add({offset: 0, path: ''}, 'the file is larger than 1 MiB', 'is it the right file?')
    report.throwIfAny()
  }
  // deep nesting would overflow the parser's stack (and kill the process inside a regular expression), so lex first
  refuseExotic(source, report)
  report.throwIfAny()

  const options = {schema: 'failsafe', uniqueKeys: false, prettyErrors: false} as const
  const document = parseDocument(source, options)
  for (const error of document.errors) report.add({offset: error.pos[0], path: ''}, yamlMessage(error), yamlHint(error))
  report.throwIfAny()
  const root: unknown = document.contents
  checkKeys(root, '', report)
  if (isMap(root)) return {root, report}
  const isEmpty = root === null || (isScalar(root) && root.source === '')
  report.add(
    {offset: 0, path: ''},
    isEmpty ? 'the file is empty' : 'the file is not a map',
    'write keys and values: key: value',
  )
  report.throwIfAny()
  throw new Error('a problem was reported and not thrown')
}

function lineStarts(source: string): number[] {
  const starts = [0]
  for (let at = source.indexOf('\n'); at !== -1; at = source.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

function refuseExotic(source: string, report: Report): void {
  let offset = 0
  let tokens = 0
  let flowDepth = 0
  let inRow = 0
  let isScalarNext = false
  let indent = 0
  for (const lexeme of new Lexer().lex(source)) {
    const at = {offset, path: ''}
    if (!isMarker(lexeme)) offset += lexeme.length
    if (isScalarNext) {
      isScalarNext = false
      continue
    }
    if (++tokens > maxTokens) return report.add(at, 'the file is too complex', `at most ${maxTokens} YAML tokens`)
    const type = CST.tokenType(lexeme)
    switch (type) {
      case 'scalar':
        isScalarNext = true
        break
      case 'alias':
      case 'anchor':
        report.add(at, `${quote(lexeme)}: anchors and aliases are not accepted`, 'write the value out')
        break
      case 'tag':
        report.add(at, `${quote(lexeme)}: tags are not accepted`, 'write the plain value; quote it if it must be text')
        break
      case 'directive-line':
        report.add(at, 'YAML directives are not accepted', 'remove the line that starts with %')
        break
      case 'flow-map-start':
      case 'flow-seq-start':
        flowDepth++
        break
      case 'flow-map-end':
      case 'flow-seq-end':
      case 'flow-error-end':
        flowDepth = Math.max(0, flowDepth - 1)
        break
      case 'newline':
        inRow = 0
        indent = 0
        break
      case 'space':
        if (inRow === 0) indent = lexeme.length
        continue
      case 'comment':
        continue
      default:
        if (flowDepth === 0) inRow++
    }
    if (flowDepth > maxFlowDepth || indent > maxIndent || inRow > maxIndicatorsInRow) {
      return report.add(at, 'nested too deeply', 'a spec needs five levels at most')
    }
  }
}

/** Marks of the lexer that are not part of the text. */
function isMarker(lexeme: string): boolean {
  return lexeme === CST.DOCUMENT || lexeme === CST.FLOW_END || lexeme === CST.SCALAR
}

function checkKeys(node: unknown, path: string, report: Report): void {
  if (isSeq(node)) node.items.forEach((item, index) => checkKeys(item, `${path}[${index}]`, report))
  if (!isMap(node)) return
  const seen = new Set<string>()
  for (const {key, value} of node.items) {
    if (!isScalar(key) || typeof key.value !== 'string') {
      const offset = (key as Node | null)?.range?.[0] ?? node.range?.[0] ?? 0
      report.add({offset, path}, 'a key must be plain text', 'write key: value')
      continue
    }
    const inner = join(path, key.value)
    const offset = key.range?.[0] ?? 0
    if (seen.has(key.value)) report.add({offset, path: inner}, 'this key is there twice', 'remove one of them')
    seen.add(key.value)
    checkKeys(value, inner, report)
  }
}

/** Path of a key below another path, with what cannot be shown plainly in quotes. */
export function join(path: string, key: string): string {
  const shown = /^[A-Za-z0-9_.-]{1,60}$/.test(key) ? key : quote(key)
  return path === '' ? shown : `${path}.${shown}`
}

function yamlMessage(error: {code: string; message: string}): string {
  if (error.code === 'MULTIPLE_DOCS') return 'the file has more than one YAML document'
  return `not valid YAML: ${error.message}`
}

function yamlHint(error: {code: string}): string {
  if (error.code === 'MULTIPLE_DOCS') return 'one pair per file: split it at the line ---'
  if (error.code === 'TAB_AS_INDENT') return 'indent with spaces'
  return 'check indentation, brackets and quotes near this place'
}
