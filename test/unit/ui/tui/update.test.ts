import fc from 'fast-check'
import * as assert from 'uvu/assert'
import type {Effect, Key, Message, Model} from '../../../../src/ui/tui/model.js'
import {matcherOf} from '../../../../src/ui/tui/filter.js'
import {rowsOf} from '../../../../src/ui/tui/rows.js'
import {update} from '../../../../src/ui/tui/update.js'
import {screenText, viewOf} from '../../../../src/ui/tui/view.js'
import {lengthOf} from '../../../../src/ui/tui/text.js'
import {chars, keyOf, press} from '../../../golden/tui/screens.js'
import {sampleMessages, sampleModel, sampleNowMs} from '../../../support/sample-fleet.js'
import {suite} from '../../../support/suite.js'

const test = suite('top: model')
const names = (model: Model): string[] => rowsOf(model).map(({name}) => name)

/** Presses keys and collects what the model wants done. */
function play(start: Model, ...keys: readonly string[]): {model: Model; effects: Effect[]} {
  const effects: Effect[] = []
  let model = start
  for (const name of keys) {
    const step = update(model, {kind: 'key', key: keyOf(name)})
    model = step.model
    effects.push(...step.effects)
  }
  return {model, effects}
}
const runs = (effects: readonly Effect[]): Effect[] => effects.filter(({kind}) => kind === 'run')

test('the default order is by name, numbers as numbers; a letter sorts, again it reverses', () => {
  const model = sampleModel()
  assert.equal(names(model), ['db', 'mail', 'web1', 'web2', 'web10'])
  assert.equal(names(press(model, 'S')), ['web10', 'mail', 'web2', 'db', 'web1'])
  assert.equal(names(press(model, 'S', 'S')), ['db', 'web1', 'mail', 'web2', 'web10'])
  assert.is(names(press(model, 'L'))[0], 'db')
})

test('filter: text, regex, column, opposite; Esc drops what is typed, Enter keeps it', () => {
  const model = sampleModel()
  assert.equal(names(press(model, '/', ...chars('web'))), ['web1', 'web2', 'web10'])
  assert.equal(names(press(model, '/', ...chars('~^web.$'), 'enter')), ['web1', 'web2'])
  assert.equal(names(press(model, '/', ...chars('state:prot'), 'enter')), ['db', 'web1', 'mail', 'web2'].sort())
  assert.equal(names(press(model, '/', ...chars('!state:unprot'), 'space', ...chars('web'), 'enter')), [
    'web1',
    'web10',
  ])
  assert.is(press(model, '/', ...chars('web'), 'escape').filter, '')
  assert.is(press(model, '/', ...chars('web'), 'backspace', 'enter').filter, 'we')
  assert.equal(names(press(model, '/', ...chars('web'), 'enter', 'escape')).length, 5)
})

test('a regular expression that is not finished is text', () => {
  assert.ok(matcherOf('~(')({pair: 'a(b'}))
  assert.not(matcherOf('~(')({pair: 'ab'}))
})

test('problems only; the selection is a pair, not a line', () => {
  const model = press(sampleModel(), 'j', 'j')
  assert.is(model.selected, 'web1')
  assert.equal(names(press(model, 'p')), ['mail', 'web2', 'web10'])
  assert.is(press(model, 'S').selected, 'web1')
  assert.is(press(model, 'G').selected, 'web10')
  assert.is(press(model, 'g').selected, 'db')
})

test('frozen: what is drawn stays, what comes in is kept', () => {
  const frozen = press(sampleModel(), 'tab')
  const {model} = update(frozen, {kind: 'gone', pairs: ['db']})
  assert.ok(names(model).includes('db'))
  assert.match(screenText(model), 'FROZEN')
  assert.not(names(press(model, 'tab')).includes('db'))
})

test('failover: nothing without the typed name; wrong names and Esc do nothing', () => {
  const detail = sampleModel({place: {kind: 'detail', pair: 'web1'}})
  assert.equal(runs(play(detail, 'f', 'enter').effects), [])
  assert.equal(runs(play(detail, 'f', ...chars('web1'), 'enter').effects), [], 'the focus is on Cancel')
  assert.equal(runs(play(detail, 'f', ...chars('web2'), 'tab', 'enter').effects), [])
  assert.match(screenText(play(detail, 'f', ...chars('web2'), 'tab', 'enter').model), 'web2 is not web1')
  assert.equal(runs(play(detail, 'f', 'tab', 'enter').effects), [])
  assert.equal(runs(play(detail, 'f', ...chars('web1'), 'tab', 'escape', 'enter').effects), [])
  const done = play(detail, 'f', ...chars('web1'), 'tab', 'enter')
  assert.equal(runs(done.effects), [{kind: 'run', id: 1, action: 'failover', pair: 'web1'}])
  assert.is(done.model.dialog, undefined)
  assert.match(screenText(done.model), 'RUNNING')
})

test('what ends a copy, or ends a suspension, needs the typed name and names the consequence', () => {
  const detail = sampleModel({place: {kind: 'detail', pair: 'web1'}})
  for (const [key, action, says] of [
    ['t', 'test-failover', /really ENDED/],
    ['s', 'suspend', /UNPROTECTED, until it is resumed/],
  ] as const) {
    assert.match(screenText(press(detail, key)), says)
    assert.equal(runs(play(detail, key, ...chars('web1'), 'enter').effects), [], 'the focus is on Cancel')
    assert.equal(runs(play(detail, key, 'tab', 'enter').effects), [], 'the name was not typed')
    const done = play(detail, key, ...chars('web1'), 'tab', 'enter')
    assert.equal(runs(done.effects), [{kind: 'run', id: 1, action, pair: 'web1'}])
  }
  assert.match(screenText(press(detail, 'u')), /resume: web1 is not suspended/)
})

test('while an action of a pair runs no other one begins, and it stays on the screen', () => {
  const detail = sampleModel({place: {kind: 'detail', pair: 'web1'}})
  const {model} = play(detail, 'f', ...chars('web1'), 'tab', 'enter')
  assert.equal(runs(play(model, 'c', 'tab', 'enter').effects), [])
  const moved = play(model, 'escape').model
  assert.match(screenText(moved), 'RUNNING Fail over web1')
  const failed = update(moved, {kind: 'action', id: 1, change: {state: 'failed', text: 'no answer'}}).model
  assert.match(screenText(failed), 'FAILED')
  assert.equal(play(moved, 'q').effects, [], 'leaving would interrupt it')
  assert.equal(play(moved, 'q', 'q').effects, [{kind: 'quit'}])
})

test('read-only: no action, by no key', () => {
  const model = sampleModel({readOnly: true, place: {kind: 'detail', pair: 'web1'}})
  for (const key of ['f', 't', 'c', 'r', 's', 'u']) assert.is(press(model, key).dialog, undefined)
  assert.not.match(screenText(model), 'failover')
})

test('a question of a running operation is put to the person; no is the default', () => {
  const question: Message = {kind: 'question', id: 7, pair: 'web1', text: 'beta does not answer.', expected: 'web1'}
  const {model} = update(sampleModel(), question)
  assert.equal(play(model, 'enter').effects, [{kind: 'answer', id: 7, yes: false}])
  assert.equal(play(model, ...chars('web1'), 'tab', 'enter').effects, [{kind: 'answer', id: 7, yes: true}])
})

test('a lost host greys its pairs out, with words; it comes back', () => {
  const lose = ['alpha', 'beta'].map((host): Message => ({kind: 'host', host, state: 'lost', problem: 'gone'}))
  const lost = lose.reduce((model, message) => update(model, message).model, sampleModel({columns: 120}))
  assert.match(screenText(lost), /^\? web1 +protected\?/m)
  const back = update(lost, {kind: 'host', host: 'alpha', state: 'up'}).model
  assert.not.match(screenText(back), /protected\?/)
})

test('no state by colour alone: every row of a problem bears a mark', () => {
  for (const row of rowsOf(sampleModel({columns: 120}))) {
    const line = screenText(sampleModel({columns: 120}))
      .split('\n')
      .find((text) => text.slice(2).startsWith(`${row.name} `))
    assert.is(/^[!?]/.test(line ?? ''), row.problem, line)
  }
})

test('any keys, messages and sizes: the view fits, and only a confirmed dialog acts', () => {
  const key = fc.constantFrom<Key>(
    ...[
      'j',
      'k',
      'enter',
      'escape',
      'tab',
      'f',
      'c',
      'r',
      'p',
      '/',
      'w',
      'e',
      'b',
      '1',
      '?',
      'v',
      'S',
      'pagedown',
      'backspace',
      '+',
      '-',
      'G',
    ].map(keyOf),
  )
  const message = fc.oneof(
    fc.record({kind: fc.constant('key' as const), key}),
    fc.constantFrom(...sampleMessages()),
    fc.record({
      kind: fc.constant('resize' as const),
      columns: fc.integer({min: 1, max: 220}),
      rows: fc.integer({min: 1, max: 70}),
    }),
    fc.constant<Message>({kind: 'gone', pairs: ['web1', 'db']}),
    fc.record({kind: fc.constant('tick' as const), nowMs: fc.integer({min: sampleNowMs, max: sampleNowMs + 1e6})}),
  )
  fc.assert(
    fc.property(fc.array(message, {maxLength: 60}), (messages) => {
      let model = sampleModel()
      for (const each of messages) {
        const before = model.dialog
        const step = update(model, each)
        if (runs(step.effects).length > 0) {
          assert.ok(before !== undefined && before.focus === 'confirm')
          assert.ok(before.expected === undefined || before.typed === before.expected)
        }
        model = step.model
        const lines = viewOf(model)
        assert.is(lines.length, model.rows)
        for (const line of lines)
          assert.ok(lengthOf(line) <= Math.max(model.columns, 39), `${lengthOf(line)} > ${model.columns}`)
      }
    }),
    {numRuns: 60},
  )
})

test.run()
