import * as assert from 'uvu/assert'
import {firstGeneration, nextGeneration} from '../../../src/pair/generation.js'
import type {PairRecord} from '../../../src/pair/record.js'
import {decideStart} from '../../../src/pair/start-rules.js'
import {recordOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'

const test = suite('start rules (S4)')
const first = firstGeneration('gen-1')
const second = nextGeneration(first, 'gen-2')

interface Case {
  readonly name: string
  readonly records: readonly PairRecord[]
  readonly silent?: readonly string[]
  readonly alone?: string
  /** host that starts, or part of the refusal */
  readonly expect: {readonly start: string; readonly merge?: boolean} | {readonly refuse: RegExp}
}

const cases: readonly Case[] = [
  {
    name: 'clean stop, same generation: no transfer, the primary',
    records: [recordOf('primary', {clean: true}), recordOf('secondary', {clean: true})],
    expect: {start: 'alpha'},
  },
  {
    name: 'both unclean, neither alone: the primary',
    records: [recordOf('secondary'), recordOf('primary')],
    expect: {start: 'alpha'},
  },
  {
    name: 'the one that went on alone',
    records: [recordOf('primary'), recordOf('secondary', {role: 'primary', alone: true, generation: second})],
    expect: {start: 'beta'},
  },
  {
    name: 'peer silent, last state protected: refused',
    records: [recordOf('primary')],
    silent: ['beta'],
    expect: {refuse: /beta does not answer/},
  },
  {
    name: 'peer silent, stopped cleanly: refused',
    records: [recordOf('primary', {clean: true})],
    silent: ['beta'],
    expect: {refuse: /does not answer/},
  },
  {
    name: 'peer silent, but the operator names the host',
    records: [recordOf('primary')],
    silent: ['beta'],
    alone: 'alpha',
    expect: {start: 'alpha'},
  },
  {
    name: 'peer silent, this one went on alone',
    records: [recordOf('primary', {alone: true})],
    silent: ['beta'],
    expect: {start: 'alpha'},
  },
  {
    name: 'stale never, even when named',
    records: [recordOf('primary', {marks: {stale: 'the other side went on'}})],
    silent: ['beta'],
    alone: 'alpha',
    expect: {refuse: /stale/},
  },
  {
    name: 'incomplete resync never, even when named',
    records: [recordOf('secondary', {marks: {incomplete: {why: 'resync', detail: 'being copied'}}})],
    silent: ['alpha'],
    alone: 'beta',
    expect: {refuse: /incomplete/},
  },
  {
    name: 'a secondary that missed writes never',
    records: [recordOf('secondary', {marks: {notPromotable: 'nbd lost'}})],
    silent: ['alpha'],
    alone: 'beta',
    expect: {refuse: /missed writes/},
  },
  {
    name: 'an interrupted commit is merged first',
    records: [
      recordOf('secondary', {
        role: 'primary',
        alone: true,
        generation: second,
        marks: {incomplete: {why: 'commit', detail: 'merging'}},
      }),
      recordOf('primary'),
    ],
    expect: {start: 'beta', merge: true},
  },
  {
    name: 'unrelated generations: split-brain',
    records: [
      recordOf('primary', {alone: true, generation: second}),
      recordOf('secondary', {alone: true, generation: nextGeneration(first, 'gen-2b')}),
    ],
    expect: {refuse: /both copies went on alone/},
  },
  {name: 'no record at all', records: [], silent: ['alpha', 'beta'], expect: {refuse: /no host/}},
]

for (const {name, records, silent = [], alone, expect} of cases) {
  test(name, () => {
    const decision = decideStart({pair: 'web1', records, silent, alone})
    if ('refuse' in expect) {
      assert.ok('refuse' in decision, JSON.stringify(decision))
      assert.match(decision.refuse, expect.refuse)
    } else {
      assert.ok('start' in decision, JSON.stringify(decision))
      assert.is(decision.start, expect.start)
      assert.is(decision.merge, expect.merge ?? false)
    }
  })
}

test.run()
