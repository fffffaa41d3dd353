/** Text of several lines as paragraphs: single line breaks become blanks (help and man pages wrap by themselves), empty lines stay. */
export function prose(text: string): string {
  return text
    .trim()
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.trim().replace(/\s*\n\s*/g, ' '))
    .join('\n\n')
}
