import {spawn, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {copyFileSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {parseHostsFile} from '../../../src/config/hosts-file.js'
import type {AgentClient} from '../../../src/host/agent-client.js'
import {connectAgent} from '../../../src/host/connection.js'
import {systemClock} from '../../../src/os/clock.js'
import {run} from '../../../src/os/process.js'
import {assets, xenRootfs} from './rootfs.js'

const project = fileURLToPath(new URL('../../..', import.meta.url))

/** Ports of this machine that lead to the two hosts of dom0. Lab tests have a loopback of their own. */
const ports = {xa: 7022, xb: 7023} as const
export type XenHost = keyof typeof ports

/** Without nested page tables' rdtscp, and smap under which a PV dom0 dies; without xsave, whose state TCG loses now and then. */
const processor = 'max,-smap,-rdtscp,-xsave'

/** A real Xen under an emulated processor: one dom0, in it two hosts, `xa` and `xb`, each with sshd, agent and records of its own. */
export interface Dom0 {
  /** runs a script on a host; its standard output */
  sh(script: string, host?: XenHost, timeoutMs?: number): Promise<string>
  /** the project's own command line, on this machine, over ssh:// */
  colo(args: readonly string[], options?: ColoOptions): Promise<{readonly stdout: string}>
  /** the agent of a host, over ssh://, for what no command offers; the caller closes it */
  agent(host: XenHost): Promise<AgentClient>
  /** writes a file into a directory that dom0 sees as /opt/start */
  share(name: string, text: string): string
  /** writes a file for the command line on this machine; its path */
  file(name: string, text: string): string
  stop(): void
}

export interface ColoOptions {
  readonly timeoutMs?: number
  /** exit statuses that are answers; 0 unless told */
  readonly statuses?: readonly number[]
}

/** @throws with what it printed, for any other exit status, and when it takes too long */
async function runColo(
  args: readonly string[],
  {timeoutMs = 600_000, statuses = [0]}: ColoOptions,
  env: Readonly<Record<string, string>>,
): Promise<{readonly stdout: string}> {
  const child = spawn(process.execPath, [join(project, 'bin/run.js'), ...args], {
    env: {...process.env, ...env},
    timeout: timeoutMs,
  })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  child.stdin.end()
  const [status] = (await once(child, 'close')) as [number | null]
  if (status !== null && statuses.includes(status)) return {stdout}
  throw new Error(`colo ${args.join(' ')} ended with ${status ?? 'a signal'}: ${stderr}${stdout}`)
}

/** Boots it and waits until both hosts answer. @throws with the end of the console when they do not */
export async function bootDom0(limitMs = 400_000): Promise<Dom0> {
  const rootfs = xenRootfs()
  const directory = mkdtempSync(join(tmpdir(), 'colo-xen-'))
  const at = (name: string): string => join(directory, name)
  mkdirSync(at('start'))
  mkdirSync(at('node'))
  copyFileSync(realpathSync(process.execPath), at('node/node'))
  copyFileSync(join(assets, 'dom0.sh'), at('start/dom0.sh'))
  for (const name of ['key', 'start/host_key']) {
    await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', at(name)])
  }
  copyFileSync(at('key.pub'), at('start/authorized_keys'))
  writeFileSync(at('ssh_config'), sshConfig(directory))
  writeFileSync(at('known_hosts'), knownHosts(readFileSync(at('start/host_key.pub'), 'utf8')))
  writeFileSync(at('hosts.yaml'), inventory)
  const qemu = startQemu(rootfs, directory)
  let console_ = ''
  qemu.stdout?.setEncoding('utf8').on('data', (text: string) => (console_ = (console_ + text).slice(-20_000)))
  qemu.stderr?.setEncoding('utf8').on('data', (text: string) => (console_ += text))
  const stop = (): void => {
    qemu.kill('SIGKILL')
    rmSync(directory, {recursive: true, force: true})
  }
  process.once('exit', stop)
  const dom0 = dom0In(directory, stop)
  const endMs = performance.now() + limitMs
  for (const host of ['xa', 'xb'] as const) {
    for (;;) {
      const log = await dom0.sh(`cat /run/${host}/agent.log`, host, 20_000).catch(() => '')
      if (log.includes('ready')) break
      if (qemu.exitCode !== null || performance.now() > endMs) {
        stop()
        throw new Error(`dom0 did not get ready: ${log}\n${console_.slice(-3000)}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
  }
  return dom0
}

/** A dom0 whose files are in a directory; it runs. */
export function dom0In(directory: string, stop: () => void): Dom0 {
  const at = (name: string): string => join(directory, name)
  const env = {COLO_HOSTS: at('hosts.yaml'), COLO_SSH_CONFIG: at('ssh_config')}
  const ssh = (host: XenHost, script: string): readonly [string, ...string[]] => [
    'ssh', '-F', at('ssh_config'), '-p', String(ports[host]), '-o', 'ControlMaster=auto',
    '-o', `ControlPath=${at('control-%p')}`, '-o', 'ControlPersist=60', 'root@127.0.0.1',
    `PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; ${script}`,
  ] // prettier-ignore
  return {
    sh: async (script, host = 'xa', timeoutMs = 600_000) => (await run(ssh(host, script), {timeoutMs})).stdout,
    colo: (args, options = {}) => runColo(args, options, env),
    agent: async (host) => {
      const entry = parseHostsFile(inventory, 'hosts.yaml').hosts.find(({name}) => name === host)
      if (entry === undefined) throw new Error(`no host ${host}`)
      return connectAgent(entry, {clock: systemClock, run, env: {...process.env, ...env}})
    },
    file: (name, text) => {
      writeFileSync(at(name), text)
      return at(name)
    },
    share: (name, text) => {
      writeFileSync(join(at('start'), name), text)
      return `/opt/start/${name}`
    },
    stop,
  }
}

function startQemu(rootfs: string, directory: string): ChildProcess {
  const shared = (id: string, path: string): string[] => [
    '-fsdev', `local,id=${id},path=${path},security_model=none,readonly=on,multidevs=remap`,
    '-device', `virtio-9p-pci,fsdev=${id},mount_tag=${id}`,
  ] // prettier-ignore
  const forward = Object.entries(ports).map(
    ([host, port]) => `hostfwd=tcp:127.0.0.1:${port}-:${host === 'xa' ? 22 : 2222}`,
  )
  const args = [
    '-accel', 'tcg,thread=single', '-cpu', processor, '-m', '3072', '-smp', '1', '-nographic', '-no-reboot', '-nodefaults',
    '-serial', 'stdio', '-monitor', 'none',
    '-kernel', join(rootfs, 'xen/xen.elf'),
    '-append', 'console=com1 com1=115200,8n1 dom0_mem=1280M,max:1280M noreboot=1 sched=credit loglvl=warning',
    '-initrd', `${join(rootfs, 'xen/vmlinuz')} console=hvc0 nokaslr panic=1 mitigations=off quiet,${join(rootfs, 'xen/early.img')}`,
    ...shared('root', rootfs), ...shared('colo', project), ...shared('node', join(directory, 'node')),
    ...shared('start', join(directory, 'start')),
    '-netdev', `user,id=n,restrict=on,${forward.join(',')}`, '-device', 'virtio-net-pci,netdev=n',
  ] // prettier-ignore
  return spawn('qemu-system-x86_64', args, {stdio: ['ignore', 'pipe', 'pipe']})
}

const inventory = `apiVersion: colo/v1
kind: Hosts
hosts:
  xa: {connection: 'ssh://root@127.0.0.1:${ports.xa}', replication: 10.90.0.1, bridges: [br0], answerTimeout: 120s}
  xb: {connection: 'ssh://root@127.0.0.1:${ports.xb}', replication: 10.90.0.2, bridges: [br0], answerTimeout: 120s}
`

function sshConfig(directory: string): string {
  return `Host 127.0.0.1
  User root
  IdentityFile ${directory}/key
  IdentitiesOnly yes
  UserKnownHostsFile ${directory}/known_hosts
  StrictHostKeyChecking yes
  ConnectTimeout 60
  LogLevel ERROR
`
}

function knownHosts(publicKey: string): string {
  const key = publicKey.trim().split(' ').slice(0, 2).join(' ')
  return Object.values(ports)
    .map((port) => `[127.0.0.1]:${port} ${key}\n`)
    .join('')
}
