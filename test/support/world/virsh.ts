import {ToolError} from '../../../src/errors.js'
import type {Argv, Run} from '../../../src/os/process.js'
import type {Host} from './host.js'
import {plainDomain} from './plain.js'
import type {World} from './world.js'

/**
 * Enough of virsh for the real actions: of the pair's domain what it is and its end, of a plain domain its whole life. A plain guest obeys its power
 * button at once.
 */
export function virshOf(host: Host, world: World): Run {
  return async (argv) => {
    const [program, , , , verb = '', , subject = ''] = argv
    if (program !== 'virsh') throw new Error(`the model has no program ${program}`)
    if (verb === 'define') return define(host)
    const plain = host.plain
    if (plain !== undefined && (subject === plain.uuid || subject === plain.name)) return ofPlain(host, argv)
    if (host.qemu === undefined || ![world.spec.name, host.qemu.uuid].includes(subject))
      throw failed(argv, 'error: failed to get domain')
    switch (verb) {
      case 'domstate':
        return says(host.qemu.status === 'running' ? 'running (booted)' : 'paused (user)')
      case 'dumpxml':
        return says(`<domain><path>${world.layout.agentSocket}</path></domain>`)
      case 'dominfo':
        return says(
          `Name:           ${world.spec.name}\nPersistent:     no\nAutostart:      disable\nManaged save:   no\n`,
        )
      case 'shutdown':
      case 'destroy':
        host.endQemu(world.layout)
        return says('')
      default:
        throw new Error(`the model has no virsh ${verb}: add it to test/support/world/virsh.ts`)
    }
  }
}

function ofPlain(host: Host, argv: Argv): Awaited<ReturnType<Run>> {
  const {plain} = host
  if (plain === undefined) throw failed(argv, 'error: failed to get domain')
  const {name, autostart, running, xml} = plain
  switch (argv[4]) {
    case 'domstate':
      return says(running ? 'running (booted)' : 'shut off (shutdown)')
    case 'dumpxml':
      return says(xml)
    case 'dominfo':
      return says(
        `Name:           ${name}\nPersistent:     yes\nAutostart:      ${autostart ? 'enable' : 'disable'}\nManaged save:   no\n`,
      )
    case 'snapshot-list':
    case 'checkpoint-list':
      return says('')
    case 'shutdown':
      plain.running = false
      return says('')
    case 'start':
      if (host.qemu !== undefined) throw failed(argv, 'error: the image is in use')
      plain.running = true
      return says('')
    case 'autostart':
      plain.autostart = true
      return says('')
    case 'undefine':
      host.plain = undefined
      return says('')
    default:
      throw new Error(`the model has no virsh ${argv[4] ?? ''}: add it to test/support/world/virsh.ts`)
  }
}

/** The one definition of this model. */
function define(host: Host): Awaited<ReturnType<Run>> {
  host.plain = {...plainDomain(), running: false}
  return says('')
}

function says(stdout: string): Awaited<ReturnType<Run>> {
  return {stdout, stderr: '', durationMs: 0}
}

function failed(argv: Argv, firstLine: string): ToolError {
  return new ToolError(argv, {kind: 'exit', status: 1, firstLine})
}
