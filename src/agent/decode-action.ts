import * as v from 'valibot'
import type {Action} from '../plan/action.js'
import type {Plan, PlanKind, Step} from '../plan/plan.js'
import {integer, path, port, word} from './decode.js'
import {xenActions} from './xen/decode.js'
import {
  generationSchema,
  hostName,
  imageSchema,
  marksSchema,
  pairName,
  recordSchema,
  roleSchema,
  specSchema,
} from './decode-record.js'

const kind = <const K extends Action['kind']>(name: K) => v.literal(name)
const present = v.literal('present')
const absent = v.literal('absent')
const format = v.picklist(['qcow2', 'raw'])
const timeoutMs = integer(0)
const scalar = v.union([v.string(), v.number(), v.boolean()])
const images = v.array(v.strictObject({disk: imageSchema.entries.disk, path}))
const mirrors = v.array(v.strictObject({job: word, quorum: word, target: word}))

const host = [
  v.strictObject({kind: kind('directory'), path, mode: integer(), owner: v.picklist(['root', 'qemu'])}),
  v.strictObject({
    kind: kind('image-create'),
    path,
    format,
    sizeBytes: integer(1),
    existing: v.picklist(['keep', 'replace']),
  }),
  v.strictObject({kind: kind('image-own'), path}),
  v.strictObject({kind: kind('file-remove'), path}),
  v.strictObject({kind: kind('directory-remove'), path}),
  v.strictObject({kind: kind('overlays-merge'), active: path, hidden: path, disk: path, format}),
] as const

const domain = [
  v.strictObject({kind: kind('domain-create'), domain: pairName, xml: v.string()}),
  v.strictObject({kind: kind('domain-destroy'), domain: pairName}),
  v.strictObject({
    kind: kind('lifecycle'),
    domain: pairName,
    poweroff: v.picklist(['destroy', 'restart']),
    reboot: v.picklist(['destroy', 'restart']),
  }),
  v.strictObject({kind: kind('power-button')}),
  v.strictObject({kind: kind('power-off'), how: v.picklist(['button', 'cut']), timeoutMs}),
  v.strictObject({kind: kind('stop-follow'), domain: pairName, images, timeoutMs}),
  v.strictObject({kind: kind('domain-shutdown'), uuid: word, timeoutMs, must: v.boolean()}),
  v.strictObject({kind: kind('domain-start'), uuid: word}),
  v.strictObject({kind: kind('domain-undefine'), uuid: word, xml: v.string()}),
  v.strictObject({kind: kind('domain-define'), uuid: word, xml: v.string(), autostart: v.boolean()}),
  v.strictObject({kind: kind('vm-continue')}),
  v.strictObject({kind: kind('vm-await'), states: v.array(word), timeoutMs}),
  v.strictObject({kind: kind('tcg-settle'), timeoutMs, boots: v.exactOptional(v.literal('firmware'))}),
] as const

const block = [
  v.variant('ensure', [
    v.strictObject({kind: kind('nbd-server'), ensure: present, address: word, port, maxConnections: integer(1)}),
    v.strictObject({kind: kind('nbd-server'), ensure: absent}),
  ]),
  v.strictObject({kind: kind('export'), id: word, node: word, name: word}),
  v.variant('ensure', [
    v.strictObject({kind: kind('nbd-node'), ensure: present, node: word, address: word, port, exportName: word}),
    v.strictObject({kind: kind('nbd-node'), ensure: absent, node: word}),
  ]),
  v.strictObject({kind: kind('quorum-child-add'), quorum: word, node: word}),
  v.strictObject({kind: kind('quorum-child-remove'), quorum: word, child: word}),
  v.strictObject({kind: kind('mirrors'), disks: mirrors, timeoutMs}),
  v.strictObject({kind: kind('mirrors-finish'), disks: mirrors}),
  v.strictObject({kind: kind('mirrors-abort'), disks: mirrors}),
  v.strictObject({kind: kind('commit-follow')}),
] as const

const backend = v.variant('type', [
  v.strictObject({type: v.picklist(['tcp-server', 'tcp-client']), address: word, port}),
  v.strictObject({type: v.picklist(['unix-server', 'unix-client']), path}),
])

const forwardNames = {owner: word, cookie: word, tap: word, ifb: word, feedTap: word, vlanDevice: word}
const forwardPath = v.strictObject({
  ...forwardNames,
  nic: word,
  vlan: v.exactOptional(integer(1)),
  bridge: word,
  vnetHdr: v.boolean(),
})
const netdevBackend = v.variant('type', [
  v.strictObject({type: v.literal('tap'), ifname: word}),
  v.strictObject({type: v.literal('hubport'), hubid: integer(0), netdev: word}),
])

const network = [
  v.variant('ensure', [
    v.strictObject({
      kind: kind('forward'),
      ensure: present,
      role: roleSchema,
      mirror: v.boolean(),
      paths: v.array(forwardPath),
    }),
    v.strictObject({kind: kind('forward'), ensure: absent, paths: v.array(v.strictObject(forwardNames))}),
  ]),
  v.strictObject({kind: kind('forward-release'), paths: v.array(forwardPath)}),
  v.strictObject({
    kind: kind('forward-send'),
    to: v.picklist(['link', 'guest']),
    path: forwardPath,
    station: word,
    count: integer(1),
  }),
  v.strictObject({kind: kind('forward-listen'), path: forwardPath, station: word}),
  v.strictObject({kind: kind('forward-heard'), path: forwardPath, station: word}),
  v.strictObject({kind: kind('forward-proven'), paths: v.array(forwardPath)}),
  v.variant('ensure', [
    v.strictObject({kind: kind('netdev'), ensure: present, id: word, backend: netdevBackend}),
    v.strictObject({kind: kind('netdev'), ensure: absent, id: word}),
  ]),
  v.variant('ensure', [
    v.strictObject({kind: kind('chardev'), ensure: present, id: word, backend}),
    v.strictObject({kind: kind('chardev'), ensure: absent, id: word}),
  ]),
  v.strictObject({kind: kind('chardev-await'), ids: v.array(word), timeoutMs}),
  v.variant('ensure', [
    v.strictObject({
      kind: kind('object'),
      ensure: present,
      id: word,
      type: word,
      properties: v.record(v.string(), scalar),
      before: v.exactOptional(word),
    }),
    v.strictObject({kind: kind('object'), ensure: absent, id: word}),
  ]),
  v.strictObject({kind: kind('object-set'), id: word, property: word, value: scalar}),
  v.strictObject({kind: kind('tap'), tap: word, state: v.picklist(['up', 'down'])}),
  v.variant('ensure', [
    v.strictObject({kind: kind('tap-filter'), ensure: present, tap: word, table: word}),
    v.strictObject({kind: kind('tap-filter'), ensure: absent, table: word}),
  ]),
  v.variant('ensure', [
    v.strictObject({
      kind: kind('firewall'),
      ensure: present,
      table: word,
      address: word,
      peer: word,
      ports: v.array(port),
    }),
    v.strictObject({kind: kind('firewall'), ensure: absent, table: word}),
  ]),
  v.strictObject({kind: kind('announce')}),
] as const

const yankInstance = v.variant('type', [
  v.strictObject({type: v.literal('block-node'), 'node-name': word}),
  v.strictObject({type: v.literal('chardev'), id: word}),
  v.strictObject({type: v.literal('migration')}),
])

const migration = [
  v.strictObject({kind: kind('colo-capabilities'), side: roleSchema}),
  v.strictObject({kind: kind('incoming'), address: word, port}),
  v.strictObject({
    kind: kind('migrate'),
    guest: v.picklist(['runs', 'stands-still']),
    address: word,
    port,
    intervalMs: integer(1),
    filtersOn: v.array(word),
    mirrorsOn: v.exactOptional(v.array(forwardPath)),
    timeoutMs,
  }),
  v.strictObject({kind: kind('colo-await'), role: roleSchema, timeoutMs}),
  v.strictObject({kind: kind('checkpoint'), intervalMs: integer(1), timeoutMs}),
  v.strictObject({kind: kind('checkpoint-await'), timeoutMs}),
  v.strictObject({kind: kind('yank'), instances: v.array(yankInstance)}),
  v.strictObject({kind: kind('lost-heartbeat'), unheard: v.exactOptional(v.literal(true))}),
  v.strictObject({kind: kind('migrate-cancel')}),
] as const

const recordChange = v.strictObject({
  role: v.exactOptional(roleSchema),
  peer: v.exactOptional(word),
  generation: v.exactOptional(generationSchema),
  alone: v.exactOptional(v.boolean()),
  wasProtected: v.exactOptional(v.boolean()),
  clean: v.exactOptional(v.boolean()),
  startAtBoot: v.exactOptional(v.boolean()),
  spec: v.exactOptional(specSchema),
  marks: v.exactOptional(marksSchema),
  ports: v.exactOptional(recordSchema.entries.ports),
  addresses: v.exactOptional(recordSchema.entries.addresses),
  beaconPorts: v.exactOptional(recordSchema.entries.beaconPorts),
})

const record = [
  v.strictObject({kind: kind('record-create'), record: recordSchema}),
  v.strictObject({kind: kind('record-change'), change: recordChange}),
  v.strictObject({kind: kind('record-images'), images}),
  v.strictObject({
    kind: kind('images-verify'),
    accepted: v.array(v.picklist(['image-missing', 'image-replaced', 'image-unrecorded', 'overlays-lost'])),
  }),
  v.strictObject({kind: kind('images-at-rest')}),
  v.strictObject({kind: kind('protection-begin')}),
  v.strictObject({kind: kind('record-remove'), uuid: v.exactOptional(word)}),
] as const

export const actionSchema = v.variant('kind', [
  ...host,
  ...domain,
  ...block,
  ...network,
  ...migration,
  ...record,
  ...xenActions,
])

export const stepSchema = v.strictObject({
  id: word,
  host: hostName,
  label: v.string(),
  actions: v.array(actionSchema),
  undo: v.exactOptional(v.array(actionSchema)),
  optional: v.exactOptional(v.literal(true)),
}) satisfies v.GenericSchema<unknown, Step>

const planKinds = [
  'create',
  'failover',
  'test-failover',
  'suspend',
  'replace',
  'resync',
  'destroy',
  'start',
  'stop',
  'checkpoint',
  'repair',
  'disk',
  'resolve',
  'apply',
  'net',
] as const satisfies readonly PlanKind[]

export const planSchema = v.strictObject({
  id: word,
  kind: v.picklist(planKinds),
  pair: pairName,
  title: v.string(),
  steps: v.array(stepSchema),
  pointOfNoReturn: v.exactOptional(word),
  finish: v.string(),
}) satisfies v.GenericSchema<unknown, Plan>

type Kind = v.InferOutput<typeof actionSchema>['kind']

/** Fails to compile when an action or a plan kind has no schema here. */
export const complete: {
  readonly actions: [Action['kind']] extends [Kind] ? true : never
  readonly plans: [PlanKind] extends [(typeof planKinds)[number]] ? true : never
} = {actions: true, plans: true}
