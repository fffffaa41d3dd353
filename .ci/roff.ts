/** Text for man pages: escapes, and the few shapes that docs/spec.md uses. */

/** Escapes a text; lines never begin with a control character. */
export function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('…', '...')
    .replace(/^(['.])/gm, '\\&$1')
}

/** Escapes, and sets `code` bold and **strong** as well. */
export function inline(text: string): string {
  return text
    .split(/(`[^`]+`|\*\*[^*]+\*\*|\[[^\]]+\]\([^)]+\))/)
    .map((part) => {
      if (/^`.+`$/.test(part)) return `\\fB${escaped(part.slice(1, -1))}\\fR`
      if (/^\*\*.+\*\*$/.test(part)) return `\\fB${escaped(part.slice(2, -2))}\\fR`
      const link = /^\[([^\]]+)\]\(([^)]+)\)$/.exec(part)
      return escaped(link?.[1] ?? part)
    })
    .join('')
}

/** Paragraphs of plain text, separated by empty lines. */
export function paragraphs(text: string): string[] {
  return text
    .split(/\n\s*\n/)
    .flatMap((paragraph, index) => [
      ...(index === 0 ? [] : ['.PP']),
      inline(paragraph.replace(/\s*\n\s*/g, ' ').trim()),
    ])
}

/** A Markdown document as sections of a man page; its title is left out. */
export function markdownToRoff(markdown: string): string[] {
  const out: string[] = []
  const lines = markdown.split('\n')
  let held: string[] = []
  const flush = (): void => {
    if (held.length > 0) out.push('.PP', inline(held.join(' ')))
    held = []
  }
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? ''
    if (line.startsWith('```')) {
      flush()
      const end = lines.indexOf('```', index + 1)
      out.push('.PP', '.RS 4', '.nf', ...lines.slice(index + 1, end).map(verbatim), '.fi', '.RE')
      index = end
    } else if (line.startsWith('|')) {
      flush()
      const end = lines.findIndex((other, at) => at > index && !other.startsWith('|'))
      out.push(...table(lines.slice(index, end === -1 ? lines.length : end)))
      index = (end === -1 ? lines.length : end) - 1
    } else if (/^#{2,3} /.test(line)) {
      flush()
      out.push(line.startsWith('## ') ? `.SH ${escaped(line.slice(3)).toUpperCase()}` : `.SS ${inline(line.slice(4))}`)
    } else if (/^(- |\d+\. )/.test(line)) {
      flush()
      const item = [line.replace(/^(- |\d+\. )/, '')]
      while (/^ {2,}\S/.test(lines[index + 1] ?? '')) item.push((lines[++index] ?? '').trim())
      out.push('.IP \\(bu 2', inline(item.join(' ')))
    } else if (line === '') flush()
    else if (!line.startsWith('# ')) held.push(line)
  }
  flush()
  return out
}

function verbatim(line: string): string {
  return escaped(line)
}

/** Rows `| key | type | default | meaning |` become tagged paragraphs. */
function table([header = '', , ...rows]: readonly string[]): string[] {
  const titles = cells(header)
  return rows.flatMap((row) => {
    const [key = '', type = '', standard = '', meaning = ''] = cells(row)
    const named =
      titles[2] === undefined
        ? ''
        : standard === 'required'
          ? '; required'
          : standard === ''
            ? ''
            : `; default: ${standard}`
    const told = meaning === '' ? '' : `: ${meaning}`
    return ['.TP', inline(key), inline(`${type}${named}${told}`) || '\\&']
  })
}

function cells(row: string): string[] {
  return row
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim())
}
