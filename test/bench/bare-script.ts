import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {dirname} from 'node:path'
import {nsenterArgv} from '../../src/lab/exec.js'
import {RawQmp} from './raw-qmp.js'

/** Where a bare script works: PID 1 of each host, the pair's name and the domains' XML. */
export interface BareHosts {
  readonly pair: string
  readonly inits: Readonly<Record<string, number>>
  readonly xml: Readonly<Record<string, string>>
}

/** as long as the agents wait before they take a guest for frozen */
const frozenMs = 500

/**
 * Executes the text of a dry run line by line, as a person would who pastes it: no records, no fsyncs, no locks, no looking first, no
 * limits, no undo. It is what `colo` is compared with, so everything that is free to choose is chosen fast: QMP straight from this
 * process, taps through sysfs without a program, waits that wake up at the event.
 */
export class BareScript {
  readonly #hosts: BareHosts
  readonly #monitors = new Map<string, RawQmp>()

  constructor(hosts: BareHosts) {
    this.#hosts = hosts
  }

  /**
   * @param wanted which steps; all unless told
   * @throws for a line that fails and is not a removal, and for a wait it does not know
   */
  async run(text: string, wanted: (step: string) => boolean = () => true): Promise<void> {
    let host = ''
    let active = true
    let refused: string | undefined
    let onlyIfRefused = false
    const lines = text.split('\n')
    for (let at = 0; at < lines.length; at++) {
      const line = lines[at] ?? ''
      if (line.startsWith('# if a step fails')) return
      if (line.startsWith('## on ')) host = line.slice('## on '.length)
      const step = /^# .* \(([a-z0-9]+\/[a-z-]+)\)/.exec(line)?.[1]
      if (step !== undefined) active = wanted(step)
      if (!active || line === '') continue
      if (line === '# if refused:') {
        onlyIfRefused = true
        continue
      }
      if (onlyIfRefused) {
        onlyIfRefused = false
        if (refused === undefined) continue
      }
      if (line.startsWith('#')) await this.#comment(host, line)
      else if (line.startsWith('agent.qmp ')) {
        refused = await this.#send(host, line.slice('agent.qmp '.length))
        if (refused !== undefined && !isRemoval(line) && lines[at + 1] !== '# if refused:') {
          throw new Error(`${host}: ${line}: ${refused}`)
        }
      } else if (line.startsWith('yank.qmp ')) await this.#yank(host, line.slice('yank.qmp '.length))
      else if (line.startsWith('ip link set dev ')) this.#tap(host, line)
      else if (line.endsWith(" <<'END'")) {
        const end = lines.indexOf('END', at)
        await this.#shell(host, line.slice(0, -" <<'END'".length), lines.slice(at + 1, end).join('\n'))
        at = end
      } else await this.#shell(host, line)
    }
  }

  /** Connects before it is needed, as an agent is. */
  async connect(host: string): Promise<RawQmp> {
    const known = this.#monitors.get(host)
    if (known !== undefined) return known
    const monitor = await RawQmp.connect(this.#path(host, 'agent.qmp'))
    this.#monitors.set(host, monitor)
    return monitor
  }

  close(): void {
    for (const monitor of this.#monitors.values()) monitor.close()
    this.#monitors.clear()
  }

  async #send(host: string, json: string): Promise<string | undefined> {
    const monitor = await this.connect(host)
    const outcome = await monitor.send(JSON.parse(json) as object)
    return 'refused' in outcome ? outcome.refused : undefined
  }

  /** One that QEMU does not know fails the whole call, so even a script has to ask first. */
  async #yank(host: string, json: string): Promise<void> {
    const yank = await RawQmp.connect(this.#path(host, 'yank.qmp'), true)
    const wanted = (JSON.parse(json) as {arguments: {instances: object[]}}).arguments.instances
    const there = new Set(((await yank.must({execute: 'query-yank'})) as object[]).map(keyOf))
    const instances = wanted.filter((instance) => there.has(keyOf(instance)))
    if (instances.length > 0) await yank.must({'exec-oob': 'yank', arguments: {instances}})
    yank.close()
  }

  async #comment(host: string, line: string): Promise<void> {
    const {pair, xml} = this.#hosts
    if (line.includes('/domain.xml: ')) this.#write(host, /^# (.*): </.exec(line)?.[1] ?? '', xml[host] ?? '')
    else if (line.startsWith('# sockets ') || line.startsWith('# record') || line.startsWith('# follow')) return
    else if (line === '# at pre-switchover:') await this.#migration(host, ['pre-switchover'])
    else if (line.startsWith('# wait ')) await this.#wait(host, line, pair)
  }

  async #wait(host: string, line: string, pair: string): Promise<void> {
    const qmp = await this.connect(host)
    const named = /^# wait until (.*) are (ready|concluded|connected)/.exec(line)
    const ids = named?.[1]?.split(', ') ?? []
    if (named?.[2] === 'connected') {
      await qmp.until(line, async () => {
        const chardevs = (await qmp.must({execute: 'query-chardev'})) as Array<{label: string; filename: string}>
        return ids.every((id) =>
          chardevs.some(({label, filename}) => label === id && !filename.startsWith('disconnected:')),
        )
      })
    } else if (named !== null) {
      await qmp.until(line, async () => {
        const jobs = (await qmp.must({execute: 'query-jobs'})) as Array<{id: string; status: string}>
        return ids.every((id) => jobs.some((job) => job.id === id && job.status === named[2]))
      })
    } else if (line.includes('the migration is colo')) {
      await this.#migration(host, ['colo'])
      await this.#running(host, qmp)
    } else if (line.includes('secondary in lock-step')) {
      await qmp.until(line, async () => {
        const {mode} = (await qmp.must({execute: 'query-colo-status'})) as {mode: string}
        return mode === 'secondary'
      })
      await this.#running(host, qmp)
    } else if (line.includes('run state is running')) {
      await this.#promoted(host, qmp)
    } else if (line.includes('wait for this checkpoint')) {
      const {length} = qmp.events
      await qmp.until(line, () => {
        const later = qmp.events.slice(length)
        return Promise.resolve(later.includes('STOP') && later.lastIndexOf('RESUME') > later.indexOf('STOP'))
      })
    } else throw new Error(`${pair}: no way to ${line}`)
  }

  async #running(host: string, qmp: RawQmp): Promise<void> {
    await qmp.until(`${host} to run`, async () => {
      const {running} = (await qmp.must({execute: 'query-status'})) as {running: boolean}
      return running
    })
  }

  /** Even a script needs this: a guest whose peer died inside a checkpoint stays frozen until it is continued. */
  async #promoted(host: string, qmp: RawQmp): Promise<void> {
    await qmp.until(`${host} to leave lock-step`, async () => {
      const {mode} = (await qmp.must({execute: 'query-colo-status'})) as {mode: string}
      return mode === 'none'
    })
    const start = performance.now()
    await qmp.until(`${host} to run`, async () => {
      const {running, status} = (await qmp.must({execute: 'query-status'})) as {running: boolean; status: string}
      if (status === 'colo' && performance.now() - start > frozenMs) await qmp.must({execute: 'cont'})
      return running
    })
  }

  async #migration(host: string, states: readonly string[]): Promise<void> {
    const qmp = await this.connect(host)
    await qmp.until(`${host}: migration ${states.join(', ')}`, async () => {
      const {status} = (await qmp.must({execute: 'query-migrate'})) as {status: string}
      if (status === 'failed' || status === 'completed') throw new Error(`${host}: migration ${status}`)
      return states.includes(status)
    })
  }

  #tap(host: string, line: string): void {
    const [, tap, state] = /^ip link set dev (\S+) (up|down)$/.exec(line) ?? []
    const file = `/proc/${this.#init(host)}/root/sys/class/net/${tap}/flags`
    const flags = Number.parseInt(readFileSync(file, 'utf8'), 16)
    writeFileSync(file, `0x${(state === 'up' ? flags | 1 : flags & ~1).toString(16)}`)
  }

  async #shell(host: string, line: string, input = ''): Promise<void> {
    const command = line.replaceAll('QEMU-USER', 'libvirt-qemu').replaceAll('QEMU-GROUP', 'libvirt-qemu')
    const [file, ...args] = nsenterArgv(this.#init(host), ['sh', '-c', command])
    const child = spawn(file, args, {stdio: ['pipe', 'ignore', 'pipe']})
    let errors = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
    child.stdin.end(input)
    const [status] = (await once(child, 'close')) as [number | null]
    if (status !== 0) throw new Error(`${host}: ${command}: exit ${status}: ${errors.slice(-400)}`)
  }

  #init(host: string): number {
    const init = this.#hosts.inits[host]
    if (init === undefined) throw new Error(`no host ${host}`)
    return init
  }

  #write(host: string, file: string, text: string): void {
    const path = `/proc/${this.#init(host)}/root${file}`
    mkdirSync(dirname(path), {recursive: true})
    writeFileSync(path, text)
  }

  #path(host: string, name: string): string {
    return `/proc/${this.#init(host)}/root/run/colo/pairs/${this.#hosts.pair}/${name}`
  }
}

function isRemoval(line: string): boolean {
  return /"(chardev-remove|object-del|nbd-server-stop)"/.test(line)
}

function keyOf(instance: object): string {
  return JSON.stringify(Object.entries(instance).sort())
}
