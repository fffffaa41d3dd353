import assert from 'node:assert/strict'
import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {suite} from '../../support/suite.js'

const test = suite('documents')
const root = new URL('../../../', import.meta.url)
const read = (name: string): string => readFileSync(new URL(name, root), 'utf8')

test('the newest version of the changelog is that of package.json', () => {
  const {version} = JSON.parse(read('package.json')) as {version: string}
  const headings = [...read('CHANGELOG.md').matchAll(/^## \[([^\]]+)\]/gm)].map(([, name]) => name)
  assert.deepEqual(headings.slice(0, 2), ['Unreleased', version])
})

test('the README opens with the two commands and keeps the marks of the demo', () => {
  const text = read('README.md')
  const {scripts} = JSON.parse(read('package.json')) as {scripts: Record<string, string>}
  const block = /```\n([^`]*)```/.exec(text)?.[1] ?? ''
  const commands = [...block.matchAll(/^npm (?:run )?(\S+)/gm)].map(([, name]) => name ?? '')
  assert.deepEqual(commands, ['demo', 'test'])
  for (const name of commands) assert.ok(name in scripts, name)
  assert.match(text, /<!-- BEGIN demo output[^]*<!-- END demo output -->/)
})

test('links between documents lead somewhere', () => {
  const documents = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'docs/spec.md']
  const decisions = readdirSync(new URL('docs/decisions/', root)).map((name) => `docs/decisions/${name}`)
  for (const name of [...documents, ...decisions]) {
    for (const [, target = ''] of read(name).matchAll(/\]\(([^)#:]+)\)/g)) {
      assert.ok(existsSync(new URL(target, new URL(name, root))), `${name}: ${target}`)
    }
  }
})

test('decisions are numbered once, dated, and have their parts', () => {
  const names = readdirSync(new URL('docs/decisions/', root))
  const numbers = names.map((name) => name.slice(0, 4))
  assert.equal(new Set(numbers).size, numbers.length, numbers.join(' '))
  for (const name of names) {
    const text = read(`docs/decisions/${name}`)
    assert.match(text, new RegExp(`^# ${Number(name.slice(0, 4))}\\. `), name)
    assert.match(text, /^Date: \d{4}-\d\d-\d\d\./m, name)
    for (const part of ['Decision', 'Consequences']) assert.ok(text.includes(`## ${part}`), `${name}: ${part}`)
  }
})

test('scripts and files that the documents name exist', () => {
  const {scripts} = JSON.parse(read('package.json')) as {scripts: Record<string, string>}
  for (const name of ['README.md', 'CONTRIBUTING.md']) {
    for (const [, script = ''] of read(name).matchAll(/npm run ([a-z:]+)/g))
      assert.ok(script in scripts, `${name}: ${script}`)
    for (const [file] of read(name).matchAll(/\b(?:\.ci|templates|src|bin|test)\/[\w./-]*\w/g)) {
      assert.ok(existsSync(new URL(file, root)), `${name}: ${file}`)
    }
  }
})

test.run()
