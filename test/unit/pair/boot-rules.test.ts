import assert from 'node:assert/strict'
import {decideBoot, type BootDecision} from '../../../src/pair/boot-rules.js'
import {firstGeneration, nextGeneration} from '../../../src/pair/generation.js'
import type {PeerWord} from '../../../src/pair/observation.js'
import {recordOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'

const test = suite('start after a boot (S4)')
const first = firstGeneration('gen-1')
const second = nextGeneration(first, 'gen-2')
const nowMs = 100_000

function word(change: Partial<PeerWord> = {}): PeerWord {
  const generation = change.generation ?? first
  return {
    atMs: nowMs - 400,
    generationId: generation.id,
    epoch: generation.epoch,
    alone: false,
    domain: 'absent',
    role: 'secondary',
    generation,
    ...change,
  }
}

const primary = recordOf('primary')
const secondary = recordOf('secondary')
const cases: ReadonlyArray<readonly [name: string, decision: BootDecision, kind: BootDecision['kind'], why: RegExp]> = [
  ['both were off at once: the primary starts', boot(primary, word()), 'start', /was the primary/],
  [
    'the secondary waits for the primary',
    boot(secondary, word({role: 'primary'})),
    'wait',
    /for the copy on alpha to run/,
  ],
  [
    'a primary that holds its output for this secondary is for a person, who is told how',
    boot(secondary, word({role: 'primary', domain: 'running'})),
    'wait',
    /to go on alone: colo pair failover web1 --to alpha/,
  ],
  [
    'the primary goes on alone: its secondary joins it again',
    boot(secondary, word({role: 'primary', domain: 'running', alone: true, generation: second})),
    'rejoin',
    /goes on in generation 2/,
  ],
  [
    'so does an old primary whose peer took over',
    boot(
      recordOf('primary', {marks: {stale: 'beta went on'}}),
      word({role: 'primary', domain: 'running', alone: true, generation: second}),
    ),
    'rejoin',
    /goes on in generation 2/,
  ],
  [
    'resync: manual leaves it to a person',
    boot(manual(secondary), word({role: 'primary', domain: 'running', alone: true, generation: second})),
    'leave',
    /resync: manual/,
  ],
  [
    'an image that is not the recorded one is not overwritten unasked',
    decideBoot({
      record: secondary,
      peer: word({role: 'primary', domain: 'running', alone: true, generation: second}),
      nowMs,
      faults: [{kind: 'image-replaced', disk: 'root', path: '/x', detail: 'is another file'}],
    }),
    'leave',
    /is another file/,
  ],
  ['no word yet: it waits', boot(primary, undefined), 'wait', /waits for a word of the agent on beta/],
  ['an old word is none', boot(primary, word({atMs: nowMs - 5000})), 'wait', /waits for a word/],
  ['a copy runs there: it waits', boot(primary, word({domain: 'running'})), 'wait', /runs on beta/],
  [
    'the peer went on, and does not run: it stays down',
    boot(primary, word({generation: second, alone: true, role: 'primary'})),
    'wait',
    /for the copy on beta to run/,
  ],
  [
    'it had gone on itself: it starts, once the peer was heard',
    boot(recordOf('primary', {generation: second, alone: true}), word()),
    'start',
    /newer generation/,
  ],
  [
    'even then it waits for the peer',
    boot(recordOf('primary', {generation: second, alone: true}), undefined),
    'wait',
    /waits for a word/,
  ],
  [
    'both went on: neither starts',
    boot(
      recordOf('primary', {generation: second, alone: true}),
      word({generation: nextGeneration(first, 'gen-2b'), alone: true}),
    ),
    'leave',
    /both copies went on alone/,
  ],
  ['stale: never', boot(recordOf('primary', {marks: {stale: 'beta went on'}}), word()), 'wait', /copy on beta to run/],
  [
    'being copied: never',
    boot(recordOf('secondary', {marks: {incomplete: {why: 'resync', detail: 'being copied'}}}), undefined),
    'wait',
    /a word of the agent on alpha/,
  ],
  ['stopped on purpose stays stopped', boot(recordOf('primary', {clean: true}), word()), 'leave', /stopped on purpose/],
  [
    'stopped because the host went down starts again',
    boot(recordOf('primary', {clean: true, startAtBoot: true}), word()),
    'start',
    /was the primary/,
  ],
  [
    'an image that is not the recorded one needs a person',
    decideBoot({
      record: primary,
      peer: word(),
      nowMs,
      faults: [{kind: 'image-replaced', disk: 'root', path: '/x', detail: 'is another file'}],
    }),
    'leave',
    /is another file/,
  ],
]

function boot(record: Parameters<typeof decideBoot>[0]['record'], peer: PeerWord | undefined): BootDecision {
  return decideBoot({record, peer, nowMs, faults: []})
}

function manual(record: ReturnType<typeof recordOf>): ReturnType<typeof recordOf> {
  return {...record, spec: {...record.spec, resync: 'manual'}}
}

for (const [name, decision, kind, why] of cases) {
  test(name, () => {
    assert.equal(decision.kind, kind, JSON.stringify(decision))
    assert.match(decision.why, why)
  })
}

test('an interrupted commit is merged before the start', () => {
  const record = recordOf('secondary', {
    role: 'primary',
    generation: second,
    alone: true,
    marks: {incomplete: {why: 'commit', detail: 'merging'}},
  })
  const decision = boot(record, word({role: 'primary'}))
  assert.ok(decision.kind === 'start' && decision.merge)
})

test.run()
