import {fileURLToPath} from 'node:url'
import {run} from '../../src/os/process.js'
import type {T} from './suite.js'

/** A real terminal: `colo` in a tmux of its own, keys sent, screens captured. */
export interface Tmux {
  /** characters, or names of keys as tmux knows them: Enter, Escape, Tab, Up */
  press(...keys: readonly string[]): Promise<void>
  screen(): Promise<string>
  /** a signal for what runs in it, as from `kill` */
  signal(name: NodeJS.Signals): Promise<void>
  resize(size: Size): Promise<void>
  /** what the terminal was left with: the screen from before, a cursor */
  state(): Promise<{readonly alternate: boolean; readonly cursor: boolean}>
  /** Settles when the screen fits. @throws with the last screen */
  shows(wanted: RegExp | ((screen: string) => boolean), limitMs?: number): Promise<string>
}

export interface Size {
  readonly columns: number
  readonly rows: number
}

const project = fileURLToPath(new URL('../../', import.meta.url))
let opened = 0

/** Runs `colo ARGS` 120x40 until the test ends; afterwards the screen says `ended STATUS`, and whether the terminal has the modes of before. */
export async function openTmux(
  t: T,
  args: readonly string[],
  {columns, rows, env = {}}: Partial<Size> & {readonly env?: Readonly<Record<string, string>>} = {},
): Promise<Tmux> {
  const socket = `colo-test-${process.pid}-${++opened}`
  const tmux = (...words: readonly string[]) =>
    run(['tmux', '-L', socket, '-f', '/dev/null', ...words], {timeoutMs: 10_000})
  const after = 'echo ended $?; [ "$modes" = "$(stty -g)" ] && echo modes as before; exec sleep 600'
  const command = `modes=$(stty -g); ${process.execPath} ${project}bin/run.js ${args.join(' ')}; ${after}`
  const inLab = {COLO_HOSTS: '/run/colo-lab/hosts.yaml', COLO_SSH_CONFIG: '/run/colo-lab/ssh/config', LANG: 'C.UTF-8'}
  const environment = Object.entries({...inLab, ...env}).flatMap(([name, value]) => ['-e', `${name}=${value}`])
  const geometry = ['-x', String(columns ?? 120), '-y', String(rows ?? 40)]
  await tmux('new-session', '-d', ...geometry, ...environment, command)
  t.defer(() => tmux('kill-server'))
  const screen = async (): Promise<string> => (await tmux('capture-pane', '-p')).stdout
  return {
    screen,
    press: async (...keys) => {
      for (const key of keys) await tmux('send-keys', key)
    },
    signal: async (name) => {
      const shell = (await tmux('display-message', '-p', '#{pane_pid}')).stdout.trim()
      const {stdout} = await run(['ps', '-o', 'pid=', '--ppid', shell])
      process.kill(Number(stdout), name)
    },
    resize: async (size) => {
      await tmux('resize-window', '-x', String(size.columns), '-y', String(size.rows))
    },
    state: async () => {
      const {stdout} = await tmux('display-message', '-p', '#{alternate_on} #{cursor_flag}')
      const [alternate, cursor] = stdout.trim().split(' ')
      return {alternate: alternate === '1', cursor: cursor === '1'}
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
