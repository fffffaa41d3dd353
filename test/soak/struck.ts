import {writeSync} from 'node:fs'
import type {Command} from '@oclif/core'
import {sourceConfig} from '../../.ci/source-config.js'
import type {Progress} from '../../src/ui/tasks.js'

/*
 * Runs one real command and kills at an exact step of its plan: upon the agent's own word that the step started or is done, before the
 * command does anything else. The trap sits where the display listens, in this program, so that the product has no switch for it.
 *
 *   struck.ts '{"step": "beta/alone", "state": "done", "victim": "command"}' failover web1 --yes
 */

/** Where to strike, and whom: this command (SIGKILL, Ctrl-C, or held by SIGSTOP), or a process by its number. */
export interface Trap {
  readonly step: string
  readonly state: 'started' | 'done'
  readonly victim: 'command' | 'interrupt' | 'hold' | number
  /** this command is killed after that process */
  readonly both?: boolean
}

/** Written to standard output at the moment it strikes. */
export const struckLine = 'struck'

const signals = {command: 'SIGKILL', interrupt: 'SIGINT', hold: 'SIGSTOP'} as const

async function main(): Promise<void> {
  const trap = JSON.parse(process.argv[2] ?? '') as Trap
  const [verb = '', ...args] = process.argv.slice(3)
  const {default: real} = (await import(`../../commands/pair/${verb}.ts`)) as {default: Command.Class}
  let open = true
  const sink: Progress['sink'] = {
    planned: () => undefined,
    note: (text) => process.stderr.write(`${text}\n`),
    step: (_, {step, state}) => {
      const reached = trap.state === 'started' ? state === 'started' : state === 'done' || state === 'unchanged'
      if (!open || step !== trap.step || !reached) return
      open = false
      writeSync(1, `${struckLine}\n`)
      if (typeof trap.victim === 'number') {
        process.kill(trap.victim, 'SIGKILL')
        if (trap.both === true) process.kill(process.pid, signals.command)
      } else process.kill(process.pid, signals[trap.victim])
    },
  }
  const Struck = class extends (real as unknown as new (...given: unknown[]) => object) {
    async progress(): Promise<Progress> {
      return {sink, end: async () => undefined}
    }
  } as unknown as Command.Class
  Struck.id = `pair:${verb}`
  await Struck.run(args, await sourceConfig())
}

if (process.argv[1]?.endsWith('struck.ts') === true) {
  await main().catch((error: unknown) => {
    process.exitCode = (error as {oclif?: {exit?: number}}).oclif?.exit ?? 1
  })
}
