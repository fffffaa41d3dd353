import * as v from 'valibot'

import {integer, port, word} from '../decode.js'

const kind = <const K extends string>(name: K) => v.literal(name)
const present = v.literal('present')
const absent = v.literal('absent')
const timeoutMs = integer(0)
const argv = v.pipe(v.tupleWithRest([word], word), v.readonly())

/** Schemas of the actions in src/plan/xen/actions.ts. */
export const xenActions = [
  v.strictObject({kind: kind('xen-domain'), ensure: v.literal('created'), config: v.string()}),
  v.strictObject({kind: kind('xen-domain'), ensure: absent}),
  v.strictObject({kind: kind('xen-run'), state: v.picklist(['running', 'paused'])}),
  v.strictObject({kind: kind('xen-fence'), ensure: v.picklist(['present', 'absent'])}),
  v.strictObject({kind: kind('xen-booted'), timeoutMs}),
  v.strictObject({kind: kind('xen-receive'), ensure: present, address: word, port, argv}),
  v.strictObject({kind: kind('xen-receive'), ensure: absent}),
  v.strictObject({kind: kind('xen-protect'), ensure: present, argv, address: word, port, local: word}),
  v.strictObject({kind: kind('xen-protect'), ensure: absent, timeoutMs}),
  v.strictObject({kind: kind('xen-checkpoint'), timeoutMs}),
  v.strictObject({kind: kind('xen-takeover'), monitor: v.array(word), timeoutMs}),
  v.strictObject({kind: kind('xen-name'), timeoutMs}),
  v.strictObject({kind: kind('xen-shutdown'), timeoutMs}),
] as const
