import {PassThrough} from 'node:stream'
import * as assert from 'uvu/assert'
import type {Key} from '../../../../src/ui/tui/model.js'
import {openTerminal} from '../../../../src/ui/tui/screen.js'
import {span, type Line} from '../../../../src/ui/tui/text.js'
import {viewOf} from '../../../../src/ui/tui/view.js'
import {sampleModel} from '../../../support/sample-fleet.js'
import {chars} from '../../../golden/tui/screens.js'
import {suite, type T} from '../../../support/suite.js'

const test = suite('top: terminal')

/** A terminal of streams: what is written can be read, keys can be sent. */
function fakeTerminal(t: T, env: Record<string, string> = {}) {
  const input = Object.assign(new PassThrough(), {isTTY: true, setRawMode: () => undefined})
  const output = Object.assign(new PassThrough(), {isTTY: true, columns: 80, rows: 24})
  const chunks: string[] = []
  output.setEncoding('utf8').on('data', (text: string) => chunks.push(text))
  const keys: Key[] = []
  let wake = (): void => undefined
  const terminal = openTerminal({
    input,
    output,
    env: {TERM: 'tmux-256color', ...env},
    onKey: (key) => {
      keys.push(key)
      wake()
    },
    onResize: () => undefined,
  })
  t.defer(() => terminal.close())
  const pressed = async (text: string, count = 1): Promise<Key[]> => {
    keys.length = 0
    input.write(text)
    while (keys.length < count) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    return keys
  }
  /** everything written so far; streams hand it over a little later */
  const written = async (): Promise<string> => {
    await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setImmediate(resolve))
    return chunks.join('')
  }
  return {terminal, written, pressed}
}

// eslint-disable-next-line no-control-regex -- the sequences of a terminal begin with ESC
const colorCodes = /\u001b\[[0-9;]*3[1-7][0-9;]*m/

test('draws the view, cell by cell; braces are no tags', async (t) => {
  const {terminal, written} = fakeTerminal(t)
  const lines: Line[] = [[span('a {bold}b{/bold} c', 'good')], ...viewOf(sampleModel()).slice(1)]
  terminal.draw(lines)
  assert.match(await written(), 'a {bold}b{/bold} c')
  assert.match(await written(), 'unprotected')
  assert.match(await written(), colorCodes)
})

test('NO_COLOR: no colour at all', async (t) => {
  const {terminal, written} = fakeTerminal(t, {NO_COLOR: '1'})
  terminal.draw(viewOf(sampleModel()))
  assert.match(await written(), 'unprotected')
  assert.not.match(await written(), colorCodes)
})

test('a screen drawn again sends next to nothing', async (t) => {
  const {terminal, written} = fakeTerminal(t)
  terminal.draw(viewOf(sampleModel()))
  const before = (await written()).length
  terminal.draw(viewOf(sampleModel()))
  assert.ok((await written()).length - before < 100, `${(await written()).length - before} characters`)
})

test('keys: characters, arrows, Enter once, Tab, Backspace, Ctrl-C, Esc', async (t) => {
  const {pressed} = fakeTerminal(t)
  assert.equal(await pressed('a'), [{name: 'a', char: 'a'}])
  assert.equal(await pressed('S'), [{name: 'S', char: 'S'}])
  assert.equal(await pressed('\u001b[B'), [{name: 'down'}])
  assert.equal(await pressed('\r'), [{name: 'enter'}])
  assert.equal(await pressed('\t'), [{name: 'tab'}])
  assert.equal(await pressed('\u007f'), [{name: 'backspace'}])
  assert.equal(await pressed('\u0003'), [{name: 'C-c'}])
  assert.equal(await pressed(' '), [{name: 'space', char: ' '}])
  assert.equal(await pressed('\u001b'), [{name: 'escape'}])
  assert.equal(
    await pressed('web1', 4),
    chars('web1').map((char) => ({name: char, char})),
  )
  assert.equal(await pressed('\u001bOP'), [{name: 'f1'}])
})

test('the terminal is given back: cursor, and the screen before', async (t) => {
  const {terminal, written} = fakeTerminal(t)
  terminal.draw(viewOf(sampleModel()))
  terminal.close()
  terminal.close()
  assert.match(await written(), '\u001b[?1049l')
  assert.match(await written(), /\u001b\[\?(12l\u001b\[\?)?25h/) // eslint-disable-line no-control-regex -- as above
})

test.run()
