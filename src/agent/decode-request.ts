import * as v from 'valibot'
import {planSchema, stepSchema} from './decode-action.js'
import {decode, integer, parseJson, path, word} from './decode.js'
import {generationSchema, pairName} from './decode-record.js'
import type {Method, Methods, Request} from './protocol.js'

const nothing = v.strictObject({})
const onePair = v.strictObject({pair: pairName})
const steps = v.strictObject({pair: pairName, steps: v.array(stepSchema)})
const label = v.pipe(word, v.maxLength(400))

/** libvirt takes almost anything; what could be an option of virsh, or several lines, is not asked for. */
const domainName = v.pipe(word, v.maxLength(200), v.regex(/^[^-/][^/]*$/u, 'the name of a libvirt domain'))

const origin = v.strictObject({
  user: label,
  sudo: v.exactOptional(label),
  from: v.exactOptional(label),
  argv: v.pipe(v.array(v.pipe(v.string(), v.maxLength(400))), v.maxLength(100)),
})

const params = {
  hello: nothing,
  'pairs.list': nothing,
  'pairs.observe': v.strictObject({pair: v.exactOptional(pairName), withinMs: v.exactOptional(integer(0))}),
  'host.facts': v.strictObject({
    want: v.exactOptional(v.array(word)),
    images: v.exactOptional(v.array(path)),
    withinMs: v.exactOptional(integer(0)),
  }),
  'domain.read': v.strictObject({domain: domainName}),
  'lock.acquire': v.strictObject({pair: pairName, owner: label, purpose: label}),
  'lock.release': onePair,
  'intent.write': v.strictObject({pair: pairName, plan: planSchema, owner: label, origin: v.exactOptional(origin)}),
  'intent.read': onePair,
  'intent.clear': v.strictObject({pair: pairName, result: v.exactOptional(v.picklist(['done', 'taken back']))}),
  'steps.run': steps,
  'steps.undo': steps,
  'generation.learn': v.strictObject({pair: pairName, generation: generationSchema, alone: v.boolean()}),
  'boot.read': nothing,
  'boot.note': v.strictObject({
    pair: pairName,
    boot: v.exactOptional(v.strictObject({kind: v.picklist(['wait', 'leave']), why: v.string()})),
  }),
  'events.read': v.strictObject({
    pair: pairName,
    sinceSeq: v.exactOptional(integer()),
    follow: v.exactOptional(v.boolean()),
  }),
  'stats.read': v.strictObject({
    pair: v.exactOptional(pairName),
    follow: v.exactOptional(v.boolean()),
    intervalMs: v.exactOptional(v.pipe(integer(), v.minValue(100), v.maxValue(3_600_000))),
  }),
  'trace.set': v.strictObject({pair: pairName, tracing: v.picklist(['off', 'checkpoints', 'packets'])}),
} satisfies {readonly [M in Method]: v.GenericSchema<unknown, Methods[M]['params']>}

const envelope = v.object({id: integer(), method: v.picklist(Object.keys(params) as Method[]), params: v.unknown()})

/** A line that is not a request. `id` is set when it could be read, so that the sender gets an answer. */
export interface BadRequest {
  readonly id: number
  readonly error: unknown
}

/** The id in an answer to a line whose own id could not be read. */
export const unknownId = -1

/** Reads one line of a client; never throws. */
export function decodeRequest(line: string): Request | BadRequest {
  let id = unknownId
  try {
    const value = parseJson(line, 'request')
    id = idOf(value)
    const head = decode(envelope, value, 'request')
    return {id, method: head.method, params: decode(params[head.method], head.params, head.method)}
  } catch (error) {
    return {id, error}
  }
}

function idOf(value: unknown): number {
  const id = typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined
  return typeof id === 'number' && Number.isSafeInteger(id) && id >= 0 ? id : unknownId
}
