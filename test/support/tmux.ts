import {fileURLToPath} from 'node:url'
import {run} from '../../src/os/process.js'
import type {T} from './suite.js'

/** A real terminal: `colo` in a tmux of its own, keys sent, screens captured. */
export interface Tmux {
  /** characters, or names of keys as tmux knows them: Enter, Escape, Tab, Up */
  press(...keys: readonly string[]): Promise<void>
  screen(): Promise<string>
  /** Settles when the screen fits. @throws with the last screen */
  shows(wanted: RegExp | ((screen: string) => boolean), limitMs?: number): Promise<string>
}

const project = fileURLToPath(new URL('../../', import.meta.url))
let opened = 0

/** Runs `colo ARGS` 120x40 until the test ends; afterwards the screen says `ended STATUS`. */
export async function openTmux(
  t: T,
  args: readonly string[],
  size: {readonly columns: number; readonly rows: number} = {columns: 120, rows: 40},
): Promise<Tmux> {
  const socket = `colo-test-${process.pid}-${++opened}`
  const tmux = (...words: readonly string[]) =>
    run(['tmux', '-L', socket, '-f', '/dev/null', ...words], {timeoutMs: 10_000})
  const command = `${process.execPath} ${project}bin/run.js ${args.join(' ')}; echo ended $?; exec sleep 600`
  const environment = [
    ['COLO_HOSTS', '/run/colo-lab/hosts.yaml'],
    ['COLO_SSH_CONFIG', '/run/colo-lab/ssh/config'],
    ['LANG', 'C.UTF-8'],
  ].flatMap(([name, value]) => ['-e', `${name ?? ''}=${value ?? ''}`])
  const geometry = ['-x', String(size.columns), '-y', String(size.rows)]
  await tmux('new-session', '-d', ...geometry, ...environment, command)
  t.defer(() => tmux('kill-server'))
  const screen = async (): Promise<string> => (await tmux('capture-pane', '-p')).stdout
  return {
    screen,
    press: async (...keys) => {
      for (const key of keys) await tmux('send-keys', key)
    },
    shows: async (wanted, limitMs = 15_000) => {
      const fits = typeof wanted === 'function' ? wanted : (text: string): boolean => wanted.test(text)
      const until = performance.now() + limitMs
      for (;;) {
        const text = await screen()
        if (fits(text)) return text
        if (performance.now() > until) throw new Error(`the screen does not show ${String(wanted)}:\n${text}`)
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    },
  }
}
