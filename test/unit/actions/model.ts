import type {Args, FakeClock, FakeSession} from './fake-vm.js'
import {Refusal} from './fake-vm.js'

interface ModelJob {
  id: string
  status: string
  error?: string
  device: string
  target: string
}

/** Enough of a QEMU to see whether actions look before they act. Tests set its fields directly. */
export class Model {
  running = true
  status = 'running'
  objects = new Map<string, Record<string, unknown>>()
  chardevs = new Map<string, string>()
  nodes = new Set<string>(['colo-disk0', 'colo-disk1', 'parent0', 'parent1'])
  children = new Map<string, Map<string, string>>([
    ['colo-disk0', new Map([['children.0', 'parent0']])],
    ['colo-disk1', new Map([['children.0', 'parent1']])],
  ])
  jobs = new Map<string, ModelJob>()
  nbdServer = false
  exports = new Map<string, string>()
  capabilities: Record<string, boolean> = {
    'x-colo': false,
    'return-path': false,
    events: false,
    multifd: false,
    'pause-before-switchover': false,
  }
  /** `on`: x-colo wants return-path, as 11.1; `off`: must not have it checked, as before */
  wantsReturnPath = true
  migration: Record<string, unknown> = {}
  colo = {mode: 'none', 'last-mode': 'none', reason: 'none'}
  yankable: unknown[] = []

  constructor(session: FakeSession, clock?: FakeClock) {
    session.on(this.#handlers())
    if (clock !== undefined) clock.onPass = () => this.pass()
  }

  /** Time passes: mirrors become ready, cancelled ones conclude. */
  pass(): void {
    for (const job of this.jobs.values()) {
      if (job.status === 'running') job.status = 'ready'
      if (job.status === 'waiting') job.status = 'concluded'
    }
  }

  #handlers(): Record<string, (args: Args) => unknown> {
    return {
      'query-status': () => ({status: this.status, running: this.running}),
      stop: () => this.#become('paused'),
      cont: () => this.#become('running'),
      'qom-list': () => {
        if (this.objects.size === 0) throw new Refusal("Device '/objects' not found", 'DeviceNotFound') // as 7.2
        return [...this.objects].map(([name, object]) => ({name, type: `child<${String(object['qom-type'])}>`}))
      },
      'qom-get': (args) => this.#object(args)[args['property'] as string],
      'qom-set': (args) => {
        this.#object(args)[args['property'] as string] = args['value']
      },
      'object-add': (args) => {
        this.objects.set(args['id'] as string, {status: 'on', ...args})
      },
      'object-del': (args) => {
        if (!this.objects.delete(args['id'] as string)) throw new Refusal('object not found')
      },
      'query-chardev': () => [...this.chardevs].map(([label, filename]) => ({label, filename, 'frontend-open': false})),
      'chardev-add': (args) => {
        this.chardevs.set(args['id'] as string, filenameOf(args['backend']))
      },
      'chardev-remove': (args) => {
        if (!this.chardevs.delete(args['id'] as string)) throw new Refusal('Chardev not found')
      },
      'announce-self': () => undefined,
      ...this.#block(),
      ...this.#colo(),
    }
  }

  #block(): Record<string, (args: Args) => unknown> {
    return {
      'x-debug-query-block-graph': () => this.#graph(),
      'query-jobs': () =>
        [...this.jobs.values()].map(({id, status, error}) => ({
          id,
          status,
          type: 'mirror',
          'current-progress': status === 'running' ? 10 : 100,
          'total-progress': 100,
          ...(error !== undefined && {error}),
        })),
      'blockdev-mirror': (args) => {
        const id = args['job-id'] as string
        if (this.jobs.has(id)) throw new Refusal('Job ID in use')
        this.jobs.set(id, {id, status: 'running', device: args['device'] as string, target: args['target'] as string})
      },
      'block-job-cancel': (args) => {
        const job = this.jobs.get(args['device'] as string)
        if (job === undefined) throw new Refusal('Job not found', 'DeviceNotActive')
        job.status = 'waiting'
        if (args['force'] === true) job.error = 'Operation canceled'
      },
      'job-dismiss': (args) => {
        this.jobs.delete(args['id'] as string)
      },
      'x-blockdev-change': (args) => {
        const roles = this.children.get(args['parent'] as string) ?? new Map<string, string>()
        if (typeof args['node'] === 'string') roles.set(`children.${roles.size}`, args['node'])
        else if (!roles.delete(args['child'] as string)) throw new Refusal('does not have child')
      },
      'blockdev-add': (args) => {
        this.nodes.add(args['node-name'] as string)
      },
      'blockdev-del': (args) => {
        if (!this.nodes.delete(args['node-name'] as string)) throw new Refusal('Failed to find node')
      },
      'nbd-server-start': () => {
        if (this.nbdServer) throw new Refusal('NBD server already running')
        this.nbdServer = true
      },
      'nbd-server-stop': () => {
        if (!this.nbdServer) throw new Refusal('NBD server not running')
        this.nbdServer = false
        this.exports.clear()
      },
      'block-export-add': (args) => {
        this.exports.set(args['id'] as string, args['node-name'] as string)
      },
      'query-block-exports': () =>
        [...this.exports].map(([id, node]) => ({id, type: 'nbd', 'node-name': node, 'shutting-down': false})),
    }
  }

  #colo(): Record<string, (args: Args) => unknown> {
    return {
      'query-migrate': () => this.migration,
      'query-colo-status': () => this.colo,
      'query-migrate-capabilities': () =>
        Object.entries(this.capabilities).map(([capability, state]) => ({capability, state})),
      'migrate-set-capabilities': (args) => {
        const list = args['capabilities'] as ReadonlyArray<{capability: string; state: boolean}>
        const wanted = Object.fromEntries(list.map(({capability, state}) => [capability, state]))
        if (this.wantsReturnPath && wanted['return-path'] !== true) {
          throw new Refusal("Capability 'x-colo' requires capability 'return-path'")
        }
        this.capabilities = {...this.capabilities, ...wanted}
      },
      'migrate-set-parameters': () => undefined,
      migrate: () => {
        this.migration = {status: 'active'}
      },
      'migrate-incoming': () => {
        this.migration = {'socket-address': [{type: 'inet', host: '10.88.0.2', port: '9101'}]}
      },
      'migrate-continue': () => {
        this.migration = {status: 'colo'}
        this.colo = {mode: 'primary', 'last-mode': 'none', reason: 'none'}
        this.#become('running')
      },
      migrate_cancel: () => {
        this.migration = {status: 'cancelled'}
        this.#become('running')
      },
      'x-colo-lost-heartbeat': () => {
        if (this.colo.mode === 'none') throw new Refusal('VM is not in COLO mode')
        this.colo = {mode: 'none', 'last-mode': this.colo.mode, reason: 'request'}
      },
      'query-yank': () => this.yankable,
      yank: (args) => {
        const gone = JSON.stringify(args['instances'])
        this.yankable = this.yankable.filter((one) => !gone.includes(JSON.stringify(one)))
      },
    }
  }

  #become(status: string): void {
    this.status = status
    this.running = status === 'running'
  }

  #object(args: Args): Record<string, unknown> {
    const found = this.objects.get((args['path'] as string).replace('/objects/', ''))
    if (found === undefined) throw new Refusal(`Device '${String(args['path'])}' not found`, 'DeviceNotFound')
    return found
  }

  #graph(): unknown {
    const names = [...this.nodes]
    const idOf = (name: string): number => names.indexOf(name) + 1
    return {
      nodes: names.map((name) => ({id: idOf(name), type: 'block-driver', name})),
      edges: [...this.children].flatMap(([parent, roles]) =>
        [...roles].map(([name, child]) => ({parent: idOf(parent), child: idOf(child), name})),
      ),
    }
  }
}

function filenameOf(backend: unknown): string {
  const {addr, server} = (backend as {data: {addr: {type: string; data: Record<string, string>}; server: boolean}}).data
  const place = addr.type === 'inet' ? `tcp:${addr.data['host']}:${addr.data['port']}` : `unix:${addr.data['path']}`
  return `disconnected:${place}${server ? ',server=on' : ''}`
}
