import {spawn} from 'node:child_process'
import {ToolError} from '../errors.js'
import type {Argv} from './process.js'

/** A program that runs beside this one: its lines as they come, its input, its end. */
export interface Child {
  /** the next line of standard output. @throws when none comes in `timeoutMs` or the program ends first */
  nextLine(timeoutMs: number): Promise<string>
  write(text: string): void
  /** asks it to end; settles when it has, with SIGKILL after two seconds */
  end(): Promise<void>
}

/** Starts a program beside this one; its errors go to this process's standard error. */
export async function startChild(argv: Argv): Promise<Child> {
  const child = spawn(argv[0], argv.slice(1), {stdio: ['pipe', 'pipe', 'inherit']})
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (cause) => {
      reject(new ToolError(argv, {kind: 'missing'}, {cause}))
    })
  })
  child.stdin.on('error', () => undefined) // it has ended, which `nextLine` tells
  const lines: string[] = []
  const takers: Array<(line: string | undefined) => void> = []
  let rest = ''
  let ended = false
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    for (const line of parts) {
      const taker = takers.shift()
      if (taker === undefined) lines.push(line)
      else taker(line)
    }
  })
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => {
      ended = true
      for (const taker of takers.splice(0)) taker(undefined)
      resolve()
    })
  })
  return {
    nextLine: async (timeoutMs) => {
      const line = lines.shift()
      if (line !== undefined) return line
      if (ended) throw new ToolError(argv, {kind: 'exit', status: child.exitCode ?? -1, firstLine: 'it has ended'})
      return await new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          reject(new ToolError(argv, {kind: 'timed-out', afterMs: timeoutMs}))
        }, timeoutMs)
        takers.push((text) => {
          clearTimeout(timer)
          if (text === undefined)
            reject(new ToolError(argv, {kind: 'exit', status: child.exitCode ?? -1, firstLine: 'it ended'}))
          else resolve(text)
        })
      })
    },
    write: (text) => {
      child.stdin.write(text)
    },
    end: async () => {
      if (ended) return
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 2000)
      await closed
      clearTimeout(timer)
    },
  }
}
