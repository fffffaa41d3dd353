import blessed from 'blessed'
import type {Key} from './model.js'
import type {Line, Style} from './text.js'

/** A terminal as the application uses it; the only thing here that is blessed's. */
export interface Terminal {
  readonly size: {readonly columns: number; readonly rows: number}
  draw(lines: readonly Line[]): void
  /** Gives the terminal back as it was; may be called again. */
  close(): void
}

export interface TerminalOptions {
  readonly input: NodeJS.ReadableStream
  readonly output: NodeJS.WritableStream
  readonly env: Readonly<Record<string, string | undefined>>
  readonly onKey: (key: Key) => void
  readonly onResize: (size: {readonly columns: number; readonly rows: number}) => void
}

/**
 * Takes the whole terminal. It is given back by `close`, and by blessed at the end of the process, also after an exception.
 *
 * One box holds the text; blessed finds out which cells changed and sends only those.
 */
export function openTerminal({input, output, env, onKey, onResize}: TerminalOptions): Terminal {
  const color = colorful(env)
  const screen = blessed.screen({
    input,
    output,
    terminal: terminalName(env['TERM']),
    fullUnicode: true,
    smartCSR: true,
    title: 'colo top',
  } as unknown as blessed.Widgets.IScreenOptions) // its types have input and output the wrong way round
  const box = blessed.box({parent: screen, top: 0, left: 0, width: '100%', height: '100%', tags: true, wrap: false})
  let closed = false
  const sizeNow = (): {columns: number; rows: number} => ({columns: Number(screen.width), rows: Number(screen.height)})
  screen.on('keypress', (char: string | undefined, key: RawKey) => {
    const known = keyOf(char, key)
    if (known !== undefined && !closed) onKey(known)
  })
  screen.on('resize', () => onResize(sizeNow()))
  return {
    get size() {
      return sizeNow()
    },
    draw(lines) {
      if (closed) return
      box.setContent(lines.map((line) => line.map(({text, style}) => tagged(text, style, color)).join('')).join('\n'))
      screen.render()
    },
    close() {
      if (closed) return
      closed = true
      screen.destroy()
    },
  }
}

interface RawKey {
  readonly full?: string
  readonly name?: string
  readonly ctrl?: boolean
  readonly meta?: boolean
}

/** blessed reports Enter twice, as `enter` and `return`; only one of them counts. */
function keyOf(char: string | undefined, {full = '', name = '', ctrl, meta}: RawKey): Key | undefined {
  if (name === 'return' || name === 'linefeed') return undefined
  if (ctrl === true || meta === true) return {name: full}
  const isText = char !== undefined && char.length === 1 && char >= ' ' && char !== '\u007f'
  if (name === 'space') return {name, char: ' '}
  if (isText) return {name: char, char}
  return {name: name === '' ? full : full === 'S-tab' ? full : name}
}

/** blessed misreads terminfo of today, so it gets a description it knows. @see style.md, section 10 */
function terminalName(term = ''): string {
  return /256color|kitty|alacritty|ghostty|foot/.test(term) ? 'xterm-256color' : 'xterm'
}

function colorful(env: TerminalOptions['env']): boolean {
  return (env['NO_COLOR'] ?? '') === ''
}

const colors: Readonly<Record<Style, string>> = {
  good: 'green-fg',
  warn: 'yellow-fg',
  bad: 'red-fg',
  dim: 'light-black-fg',
  head: 'bold',
  strong: 'bold',
  selected: 'inverse',
  key: 'cyan-fg',
}
const plain: Readonly<Partial<Record<Style, string>>> = {
  bad: 'bold',
  head: 'bold',
  strong: 'bold',
  selected: 'inverse',
  key: 'bold',
}

function tagged(text: string, style: Style | undefined, color: boolean): string {
  const safe = text.replace(/[{}]/g, (brace) => (brace === '{' ? '{open}' : '{close}'))
  const tag = style === undefined ? undefined : (color ? colors : plain)[style]
  return tag === undefined || text === '' ? safe : `{${tag}}${safe}{/${tag}}`
}
