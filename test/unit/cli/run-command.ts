import type {Command} from '@oclif/core'
import {captureOutput} from '@oclif/test'
import {sourceConfig} from '../../../.ci/source-config.js'

export interface Ran {
  readonly stdout: string
  readonly stderr: string
  /** the exit status the process would end with */
  readonly exit: number
  /** what `run` returned; undefined after an error */
  readonly result: unknown
  readonly error: Error | undefined
}

/** Runs one command class in this process, one at a time, and gives back what a shell would see. */
export async function runCommand(command: Command.Class, argv: readonly string[]): Promise<Ran> {
  const config = await sourceConfig()
  const before = process.exitCode
  process.exitCode = undefined
  try {
    const {stdout, stderr, error, result} = await captureOutput(() => command.run([...argv], config))
    const fromError = (error as {oclif?: {exit?: number}} | undefined)?.oclif?.exit
    return {stdout, stderr, exit: fromError ?? process.exitCode ?? 0, result, error}
  } finally {
    process.exitCode = before
  }
}
