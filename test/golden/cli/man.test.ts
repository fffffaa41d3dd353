import assert from 'node:assert/strict'
import {readdirSync, readFileSync} from 'node:fs'
import {filledPage, manFacts} from '../../../.ci/man.js'
import {assertGolden} from '../../support/golden.js'
import {suite} from '../../support/suite.js'

const test = suite('man pages')
const pages = new URL('../../../man/', import.meta.url)
const read = (name: string): string => readFileSync(new URL(name, pages), 'utf8')

test('generated parts are those of the commands, the exit statuses and docs/spec.md', async () => {
  const facts = await manFacts()
  for (const name of readdirSync(pages)) {
    assertGolden(new URL(name, pages), filledPage(read(name), facts))
  }
})

test('every command is told in one page, and every topic has one', async () => {
  const {surface} = await manFacts()
  const text = readdirSync(pages).map(read).join('\n')
  for (const {command} of surface.filter((one) => one.command.includes(' '))) {
    assert.ok(text.includes(`\n.SS colo ${command}`), command)
  }
})

test('npm installs every page', () => {
  const {man} = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {man: string[]}
  assert.deepEqual(
    man,
    readdirSync(pages)
      .sort()
      .map((name) => `./man/${name}`),
  )
})

test('pages have the sections people look for', () => {
  for (const name of readdirSync(pages).filter((one) => !one.endsWith('.5'))) {
    for (const section of ['NAME', 'SYNOPSIS', 'DESCRIPTION', 'EXIT STATUS', 'SEE ALSO']) {
      assert.ok(read(name).includes(`\n.SH ${section}\n`), `man/${name}: ${section}`)
    }
  }
})

test('a page with an unknown or an open mark is refused', async () => {
  const facts = await manFacts()
  assert.throws(() => filledPage('.\\" BEGIN nonsense\n.\\" END\n', facts), /unknown mark: nonsense/)
  assert.throws(() => filledPage('.\\" BEGIN exit-status\n.SH NAME\n', facts), /1 marks without an end/)
})

test('what stands outside the marks is kept', async () => {
  const page = filledPage('.SH A\n.\\" BEGIN exit-status\nold\n.\\" END\nby hand\n', await manFacts())
  assert.ok(page.startsWith('.SH A\n.\\" BEGIN exit-status\n.TP\n\\fB0\\fR\ndone\n'))
  assert.ok(page.endsWith('.\\" END\nby hand\n'))
  assert.ok(!page.includes('old'))
})

test.run()
