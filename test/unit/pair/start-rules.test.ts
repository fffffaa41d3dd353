import * as assert from 'uvu/assert'
import {
  ancestorLimit,
  firstGeneration,
  kinship,
  mergedGeneration,
  nextGeneration,
} from '../../../src/pair/generation.js'
import type {Generation, PairRecord} from '../../../src/pair/record.js'
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
  readonly on?: string
  readonly atRest?: readonly string[]
  /** host that starts, or part of the refusal */
  readonly expect:
    {readonly start: string; readonly merge?: boolean; readonly equal?: boolean} | {readonly refuse: RegExp}
}

const cases: readonly Case[] = [
  {
    name: 'clean stop, same generation: no transfer, the primary',
    records: [recordOf('primary', {clean: true}), recordOf('secondary', {clean: true})],
    atRest: ['alpha', 'beta'],
    expect: {start: 'alpha', equal: true},
  },
  {
    name: 'clean stop, same generation: no transfer, and either copy when it is named',
    records: [recordOf('primary', {clean: true}), recordOf('secondary', {clean: true})],
    on: 'beta',
    atRest: ['alpha', 'beta'],
    expect: {start: 'beta', equal: true},
  },
  {
    name: 'clean stop, but one image was written to since: one copy starts, the other is copied',
    records: [recordOf('primary', {clean: true}), recordOf('secondary', {clean: true})],
    atRest: ['alpha'],
    expect: {start: 'alpha', equal: false},
  },
  {
    name: 'clean stop of the primary after a write that did not arrive: its copy, whatever is named',
    records: [recordOf('primary', {clean: true, wasProtected: false}), recordOf('secondary', {clean: true})],
    on: 'beta',
    atRest: ['alpha', 'beta'],
    expect: {refuse: /the copy to start is the one on alpha/},
  },
  {
    name: 'only the primary noted its clean stop: the secondary is copied',
    records: [recordOf('primary', {clean: true}), recordOf('secondary')],
    atRest: ['alpha'],
    expect: {start: 'alpha', equal: false},
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
  {
    name: 'both alone in one generation: split-brain',
    records: [recordOf('primary', {alone: true}), recordOf('secondary', {role: 'primary', alone: true})],
    expect: {refuse: /both copies went on alone/},
  },
  {
    name: 'the peer answers without a record: said so, and refused',
    records: [recordOf('primary')],
    expect: {refuse: /beta answers, but has no record/},
  },
  {
    name: 'both answer, and the host named with --alone is not the one: refused, not obeyed',
    records: [recordOf('primary'), recordOf('secondary', {role: 'primary', alone: true, generation: second})],
    alone: 'alpha',
    expect: {refuse: /both hosts answer, and the copy to start is the one on beta/},
  },
  {
    name: 'the host named with --alone does not answer: the other one is not started instead',
    records: [recordOf('primary', {alone: true})],
    silent: ['beta'],
    alone: 'beta',
    expect: {refuse: /beta does not answer/},
  },
  {
    name: 'so far behind that the ids cannot tell, and never alone: outdated, no split-brain',
    records: [recordOf('secondary'), recordOf('primary', {alone: true, generation: aged(first)})],
    expect: {start: 'alpha'},
  },
  {
    name: 'so far behind that the ids cannot tell, but it went on alone: split-brain',
    records: [
      recordOf('secondary', {role: 'primary', alone: true}),
      recordOf('primary', {alone: true, generation: aged(first)}),
    ],
    expect: {refuse: /both copies went on alone/},
  },
  {name: 'no record at all', records: [], silent: ['alpha', 'beta'], expect: {refuse: /no host/}},
]

for (const {name, records, silent = [], alone, on, atRest = [], expect} of cases) {
  test(name, () => {
    const decision = decideStart({pair: 'web1', records, silent, alone, on, atRest})
    if ('refuse' in expect) {
      assert.ok('refuse' in decision, JSON.stringify(decision))
      assert.match(decision.refuse, expect.refuse)
    } else {
      assert.ok('start' in decision, JSON.stringify(decision))
      assert.is(decision.start, expect.start)
      assert.is(decision.merge, expect.merge ?? false)
      assert.is(decision.equal, expect.equal ?? false)
    }
  })
}

test('kinship: beyond the end of the list nothing is said; within it, unrelated is unrelated', () => {
  const old = aged(first)
  assert.is(kinship(first, old), 'untold')
  assert.is(kinship(old, first), 'untold')
  assert.is(kinship(nextGeneration(first, 'stray'), nextGeneration(second, 'gen-3')), 'unrelated')
  let young = first
  for (let n = 0; n < ancestorLimit; n++) young = nextGeneration(young, `near-${n}`)
  assert.is(kinship(first, young), 'older', 'the last one listed')
})

test('the generation that ends a split-brain follows from both', () => {
  const [kept, discarded] = [nextGeneration(first, 'kept'), nextGeneration(second, 'discarded')]
  const merged = mergedGeneration(kept, discarded, 'merged')
  assert.is(merged.epoch, 4)
  for (const parent of [kept, discarded, first]) assert.is(kinship(parent, merged), 'older')
})

/** More generations on than a list of ancestors holds. */
function aged(generation: Generation): Generation {
  let young = generation
  for (let n = 0; n <= ancestorLimit + 10; n++) young = nextGeneration(young, `aged-${n}`)
  return young
}

test.run()
