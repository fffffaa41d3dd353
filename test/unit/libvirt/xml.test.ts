import assert from 'node:assert/strict'

import fc from 'fast-check'

import {DecodeError} from '../../../src/errors.js'
import {
  append,
  attribute,
  child,
  children,
  edit,
  element,
  remove,
  set,
  setAttribute,
  textOf,
  type XmlElement,
  type XmlNode,
} from '../../../src/libvirt/xml-tree.js'
import {buildXml, parseXml} from '../../../src/libvirt/xml.js'
import {suite} from '../../support/suite.js'

const test = suite('xml')
const parse = (text: string): XmlElement => parseXml(text, {source: 'a test', root: 'a'})

test('values keep their text: no numbers, no lost attributes, no merged children', () => {
  const root = parse("<a x='08'><vcpu>08</vcpu><uuid>0005e-1</uuid><b/><b y=''>1e3</b></a>")
  assert.equal(attribute(root, 'x'), '08')
  assert.equal(textOf(child(root, 'vcpu')!), '08')
  assert.equal(textOf(child(root, 'uuid')!), '0005e-1')
  assert.deepEqual(
    children(root, 'b').map((node) => [attribute(node, 'y'), textOf(node)]),
    [
      [undefined, ''],
      ['', '1e3'],
    ],
  )
})

test('entities by name and number are decoded once', () => {
  const root = parse("<a x='&#65;&#x42;&#10;&apos;'>&lt;&amp;lt;&amp;#65;&quot;</a>")
  assert.equal(attribute(root, 'x'), "AB\n'")
  assert.equal(textOf(root), '<&lt;&#65;"')
})

test('CDATA becomes text, comments stay, processing instructions go', () => {
  const root = parse("<?xml version='1.0'?><!-- top --><a>x<![CDATA[<&amp;>]]>y<?p q='1'?><!-- in --></a>")
  assert.deepEqual(root.children, [
    {kind: 'text', text: 'x<&amp;>y'},
    {kind: 'comment', text: ' in '},
  ])
})

test('blanks between elements go, blanks in a text stay', () => {
  assert.equal(buildXml(parse('<a>\n  <b> x </b>\n\n</a>')), '<a>\n  <b> x </b>\n</a>\n')
})

test('namespaces are kept as they are written', () => {
  const text = "<a xmlns:qemu='http://q'>\n  <qemu:commandline/>\n</a>\n"
  assert.equal(buildXml(parse(text)), text)
})

for (const [what, text] of [
  ['a DOCTYPE', "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>"],
  ['a DOCTYPE in small letters', '<!doctype a><a/>'],
  ['two roots', '<a/><a/>'],
  ['another root', '<b/>'],
  ['no root', 'error: no domain'],
  ['nothing', ''],
  ['only a comment', '<!-- a -->'],
  ['an end that is missing', '<a><b></a>'],
  ['a cut document', '<a><b/>'],
  ['text after the end', '<a/>x'],
  ['an entity after the end', '<a/>&amp;'],
  ['text that ends like a tag after the end', '<a/> x >'],
  ['text before a comment after the end', '<a/>x<!-- y -->'],
  ['a comment without end', '<a/><!-- x'],
  ['a comment without end inside', '<a><!-- x </a>'],
  ['CDATA without end', '<a><![CDATA[ x </a>'],
  ['a processing instruction without end', '<a/><?x'],
  ['an unknown entity', '<a>&nbsp;</a>'],
  ['a bare ampersand', '<a>x & y</a>'],
  ['a bare ampersand in an attribute', "<a x='1&2'/>"],
  ['an entity for a control character', '<a>&#0;</a>'],
  ['an entity beyond Unicode', '<a>&#x110000;</a>'],
  ['half of a surrogate pair', '<a>&#xD800;</a>'],
  ['a control character', '<a>\u0001</a>'],
  ['a doubled attribute', "<a x='1' x='2'/>"],
  ['an attribute without value', '<a x/>'],
  ['an attribute without quotes', '<a x=1/>'],
  ['a name that JavaScript reserves', '<a><__proto__/></a>'],
  ['a name of Object.prototype', '<a><hasOwnProperty/></a>'],
] as const) {
  test(`refused: ${what}`, () => {
    assert.throws(
      () => parse(text),
      (error: unknown) => error instanceof DecodeError && error.source === 'a test',
    )
  })
}

test('an attribute that JavaScript reserves does no harm', () => {
  let root: XmlElement | undefined
  try {
    root = parse("<a __proto__='1' constructor='2'/>")
  } catch (error) {
    assert.ok(error instanceof DecodeError)
  }
  assert.equal(({} as {x?: unknown}).x, undefined)
  assert.equal(Object.getPrototypeOf(root?.attributes ?? {}), Object.prototype)
})

test('deep nesting ends with an error, not with a crash', () => {
  const depth = 100_000
  assert.throws(() => parse(`<a>${'<b>'.repeat(depth)}${'</b>'.repeat(depth)}</a>`), DecodeError)
})

test('what XML cannot hold is not written', () => {
  for (const bad of [
    element('a b'),
    element('a', {'x y': '1'}),
    element('a', {}, ['\u0000']),
    element('a', {x: '\uD800'}),
  ]) {
    assert.throws(() => buildXml(bad), RangeError)
  }
  assert.throws(() => buildXml(element('a', {}, [{kind: 'comment', text: 'x -- y'}])), RangeError)
})

test('edits replace, append and remove', () => {
  const root = parse('<a><b>1</b><!-- c --><d/><b>2</b></a>')
  assert.equal(buildXml(set(root, element('b', {}, ['3']))), '<a>\n  <b>3</b>\n  <!-- c -->\n  <d/>\n</a>\n')
  assert.equal(children(set(root, element('e'))).at(-1)?.name, 'e')
  assert.equal(children(append(root, element('b'))).length, 4)
  assert.deepEqual(
    children(remove(root, ({name}) => name === 'b')).map(({name}) => name),
    ['d'],
  )
  assert.equal(
    textOf(
      child(
        edit(root, 'b', (node) => append(node, {kind: 'text', text: 'x'})),
        'b',
      )!,
    ),
    '1x',
  )
  assert.equal(
    attribute(
      child(
        edit(root, 'new', (node) => setAttribute(node, 'k', 'v')),
        'new',
      )!,
      'k',
    ),
    'v',
  )
  assert.equal(
    buildXml(root),
    buildXml(parse('<a><b>1</b><!-- c --><d/><b>2</b></a>')),
    'the tree itself never changes',
  )
})

const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_.-]{0,8}$/).filter((text) => !(text in {}) && !/^xml/i.test(text))
const text = fc.string({unit: 'grapheme', minLength: 1}).filter((value) => value.trim() !== '' && isXmlText(value))
const attributes = fc.dictionary(name, fc.string({unit: 'grapheme'}).filter(isXmlText), {
  maxKeys: 3,
  noNullPrototype: true,
})
const comment = fc.stringMatching(/^[ a-z]{0,10}$/).map((value): XmlNode => ({kind: 'comment', text: value}))

/** Elements with text only, or with elements and comments only, as libvirt's are. */
const {tree} = fc.letrec<{tree: XmlElement}>((tie) => ({
  tree: fc
    .tuple(
      name,
      attributes,
      fc.oneof(
        {maxDepth: 4},
        text.map((value): XmlNode[] => [{kind: 'text', text: value}]),
        fc.array(fc.oneof({weight: 4, arbitrary: tie('tree')}, {weight: 1, arbitrary: comment}), {maxLength: 4}),
      ),
    )
    .map(([tag, values, nodes]): XmlElement => ({kind: 'element', name: tag, attributes: values, children: nodes})),
}))

function isXmlText(value: string): boolean {
  return !/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u.test(value)
}

test('parse(build(tree)) is the tree', () => {
  fc.assert(
    fc.property(tree, (root) => {
      assert.deepEqual(parseXml(buildXml(root), {source: 'property', root: root.name}), root)
    }),
    {numRuns: 500},
  )
})

test('whatever the text, parsing ends with a tree or a DecodeError', () => {
  const piece = fc.constantFrom(
    '<a',
    '<b>',
    '</b>',
    '</a>',
    '/>',
    '>',
    '<!--',
    '-->',
    '<![CDATA[',
    ']]>',
    '&amp;',
    '&',
    "x='1'",
    '"',
    ' ',
    'y',
  )
  fc.assert(
    fc.property(fc.array(piece, {maxLength: 20}), (pieces) => {
      try {
        const root = parse(`<a>${pieces.join('')}</a>`)
        assert.deepEqual(parse(buildXml(root)), parse(buildXml(parse(buildXml(root)))))
      } catch (error) {
        if (!(error instanceof DecodeError || error instanceof RangeError)) throw error
      }
    }),
    {numRuns: 500},
  )
})

test.run()
