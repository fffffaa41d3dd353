/**
 * Hours of a stream through the model, as fast as it goes: `node --expose-gc --import tsx hour.ts`. Prints the heap in MiB after each
 * half hour of stream time, as JSON.
 */
import {initialModel, type Message, type Model} from '../../../src/ui/tui/model.js'
import {update} from '../../../src/ui/tui/update.js'
import {viewOf} from '../../../src/ui/tui/view.js'
import {sampleNowMs, sampleStats} from '../../support/sample-fleet.js'

const pairs = Array.from({length: 10}, (_, n) => `web${n}`)
const hours = 4
let model: Model = initialModel({
  nowMs: sampleNowMs,
  columns: 200,
  rows: 60,
  only: [],
  place: {kind: 'list'},
  readOnly: true,
  ascii: false,
  intervalMs: 500,
  hosts: ['alpha', 'beta'],
})
const send = (message: Message): void => {
  ;({model} = update(model, message))
}
for (const [host, role] of [
  ['alpha', 'primary'],
  ['beta', 'secondary'],
] as const) {
  const updates = pairs.map((pair) => ({
    pair,
    atMs: sampleNowMs,
    change: '1',
    whole: {...sampleStats(pair, role, 40), pair},
  }))
  send({kind: 'stats', host, offsetMs: 0, updates})
}

const heap: number[] = []
const stepMs = 500
const steps = (hours * 3_600_000) / stepMs
for (let n = 1; n <= steps; n++) {
  const atMs = sampleNowMs + n * stepMs
  for (const host of ['alpha', 'beta']) {
    const updates = pairs.map((pair) => ({
      pair,
      atMs,
      change: '1',
      fresh: [{atMs, durationMs: 20 + (n % 37), intervalMs: stepMs, cause: 'periodic' as const}],
      colo: true,
    }))
    send({kind: 'stats', host, offsetMs: n % 7, updates})
  }
  send({kind: 'event', host: 'alpha', event: {seq: n, atMs, pair: 'web0', type: 'JOB', data: {n}}})
  send({kind: 'tick', nowMs: atMs})
  if (n % 100 === 0) viewOf(model)
  if (n % (1_800_000 / stepMs) === 0) {
    globalThis.gc?.()
    heap.push(process.memoryUsage().heapUsed / 1024 ** 2)
  }
}
process.stdout.write(`${JSON.stringify(heap)}\n`)
