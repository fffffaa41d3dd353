import {ToolError} from '../../../src/errors.js'
import type {Argv, Run} from '../../../src/os/process.js'
import type {Host} from './host.js'
import type {World} from './world.js'

/** Enough of virsh for the real actions that end a domain: what it says of the pair's domain, and `destroy`. */
export function virshOf(host: Host, world: World): Run {
  return async (argv) => {
    const verb = argv[4]
    if (argv[0] !== 'virsh' || host.qemu === undefined) throw failed(argv, 'error: failed to get domain')
    switch (verb) {
      case 'domstate':
        return says(host.qemu.status === 'running' ? 'running (booted)' : 'paused (user)')
      case 'dumpxml':
        return says(`<domain><path>${world.layout.agentSocket}</path></domain>`)
      case 'destroy':
        host.endQemu(world.layout)
        return says('')
      default:
        throw new Error(`the model has no virsh ${verb ?? ''}: add it to test/support/world/virsh.ts`)
    }
  }
}

function says(stdout: string): Awaited<ReturnType<Run>> {
  return {stdout, stderr: '', durationMs: 0}
}

function failed(argv: Argv, firstLine: string): ToolError {
  return new ToolError(argv, {kind: 'exit', status: 1, firstLine})
}
