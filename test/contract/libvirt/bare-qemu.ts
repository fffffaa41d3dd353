import {mkdirSync, readFileSync} from 'node:fs'
import {dirname, join} from 'node:path'

import {attribute, child, children, textOf, type XmlElement} from '../../../src/libvirt/xml-tree.js'
import {buildMemberXml, type MemberXmlInput} from '../../../src/libvirt/member-xml.js'
import {parseXml} from '../../../src/libvirt/xml.js'
import {run, type Argv} from '../../../src/os/process.js'
import {layoutOf, overlayPaths} from '../../../src/pair/layout.js'
import type {Role} from '../../../src/pair/record.js'
import {onHost, type DiskSpec, type PairSpec} from '../../../src/pair/spec.js'
import {connectQmp, type QmpSession} from '../../../src/qmp/session.js'
import {memberInput, type MemberCase} from '../../support/member-cases.js'
import type {T} from '../../support/suite.js'
import {temporaryDirectory} from '../../support/temporary-directory.js'

/** Starts one member of a case on a bare QEMU, stopped, in a directory of its own, from what its domain XML says. */
export async function startMember(t: T, each: MemberCase, role: Role, program: Argv): Promise<QmpSession> {
  const directory = temporaryDirectory(t, 'member')
  const input = inDirectory(directory, memberInput(each, role))
  for (const disk of input.spec.disks) await createImages(input, disk)
  const pidFile = join(directory, 'pid')
  const argv = bareArgs(parseXml(buildMemberXml(input), {source: 'a test', root: 'domain'}))
  await run([...program, ...argv, '-daemonize', '-pidfile', pidFile], {timeoutMs: 20_000})
  t.defer(() => {
    process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL')
  })
  const qmp = await connectQmp({path: input.layout.agentSocket, signal: t.signal})
  t.defer(() => {
    qmp.close()
  })
  return qmp
}

/** The same member with every path below `directory`, on loopback. */
function inDirectory(directory: string, input: MemberXmlInput): MemberXmlInput {
  const {kernel: _, ...vm} = input.spec.vm
  const below = (path: string | undefined): {same: string} => ({same: `${directory}${path ?? '/nowhere'}`})
  const disks = input.spec.disks.map(({scratch, ...disk}) => ({
    ...disk,
    image: below(onHost(disk.image, input.host)),
    ...(scratch !== undefined && {scratch: below(onHost(scratch, input.host))}),
  }))
  const spec: PairSpec = {...input.spec, vm, disks}
  const layout = {
    ...layoutOf(spec),
    agentSocket: join(directory, 'agent.qmp'),
    yankSocket: join(directory, 'yank.qmp'),
  }
  const record = {...input.record, addresses: {alpha: '127.0.0.1', beta: '127.0.0.1'}}
  return {...input, spec, layout, record, scratchRoot: `${directory}${input.scratchRoot}`}
}

async function createImages(input: MemberXmlInput, disk: DiskSpec): Promise<void> {
  const image = onHost(disk.image, input.host) ?? ''
  const {active, hidden} = overlayPaths(input.spec, disk, {host: input.host, scratchRoot: input.scratchRoot})
  const wanted = [[image, disk.format] as const]
  if (input.role === 'secondary') wanted.push([active, 'qcow2'], [hidden, 'qcow2'])
  for (const [path, format] of wanted) {
    mkdirSync(dirname(path), {recursive: true})
    await run(['qemu-img', 'create', '-q', '-f', format, path, String(disk.sizeBytes)])
  }
}

/** What libvirt would make of the elements, with a network that needs nothing of this machine; then our own arguments. */
function bareArgs(domain: XmlElement): string[] {
  const machine = attribute(child(domain, 'os', 'type')!, 'machine')!
  const memory = `${Number(textOf(child(domain, 'memory')!)) / 1024}M`
  const nics = children(child(domain, 'devices')!, 'interface').flatMap((nic, index) => {
    const model = attribute(child(nic, 'model')!, 'type')!
    const slot = attribute(child(nic, 'address')!, 'slot')!
    const bus = machine.includes('q35') ? 'pcie.0' : 'pci.0'
    const driver = model === 'virtio' ? 'virtio-net-pci' : model
    const mac = attribute(child(nic, 'mac')!, 'address')!
    return [
      ...['-netdev', `hubport,hubid=${index},id=hostnet${index}`],
      ...['-device', `${driver},netdev=hostnet${index},id=net${index},mac=${mac},bus=${bus},addr=${slot},romfile=`],
    ]
  })
  const own = children(child(domain, 'qemu:commandline')!, 'qemu:arg').map((arg) => attribute(arg, 'value')!)
  const base = ['-machine', machine, '-accel', 'tcg', '-cpu', 'max', '-m', memory]
  const cpus = ['-smp', textOf(child(domain, 'vcpu')!)]
  return [...base, ...cpus, '-nodefaults', '-display', 'none', '-S', ...nics, ...own]
}
