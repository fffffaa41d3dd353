import type {CommandSurface} from '../surface.js'
import {completerOf, namedCommands, spellings, takesPair, topicsOf} from './words.js'

/** A zsh function for `colo`. */
export function zshCompletion(surfaces: readonly CommandSurface[]): string {
  const commands = namedCommands(surfaces)
  const topics = topicsOf(surfaces)
  const paths = [...new Set([...topics.map(({path}) => path), ...commands.map(([name]) => name)])].filter(
    (path) => path !== '',
  )
  return `#compdef colo
# zsh completion of colo; load it with: source <(colo completion zsh)
_colo() {
  local cur=\${words[CURRENT]} prev=\${words[CURRENT-1]} place= next word
  local -a found
  for word in "\${(@)words[2,CURRENT-1]}"; do
    next="$place\${place:+ }$word"
    case $next in
      (${paths.map((path) => `'${path}'`).join('|')}) place=$next ;;
      (*) break ;;
    esac
  done
  case "$place $prev" in
${commands.flatMap(([name, surface]) => valueCases(name, surface)).join('\n')}
  esac
  if [[ $cur == -* ]]; then
    case $place in
${commands.map(([name, surface]) => `      ('${name}') found=(${flagWords(surface)}) ;;`).join('\n')}
    esac
  else
    case $place in
${topics.map(({path, words}) => `      ('${path}') found=(${words.map(({word, summary}) => described(word, summary)).join(' ')}) ;;`).join('\n')}
      (${commands
        .filter(([, surface]) => takesPair(surface))
        .map(([name]) => `'${name}'`)
        .join('|')}) found=(\${(f)"$(colo pair list -o name --quiet 2>/dev/null)"}) ;;
${commands.flatMap(([name, {args}]) => (args[0]?.values === undefined ? [] : [`      ('${name}') found=(${args[0].values.map((value) => described(value, '')).join(' ')}) ;;`])).join('\n')}
    esac
  fi
  (( $#found )) && _describe -V colo found
}
compdef _colo colo
`
}

function valueCases(name: string, {flags}: CommandSurface): string[] {
  return flags.flatMap((flag) => {
    if (flag.type === 'boolean') return []
    const pattern = `(${spellings(flag)
      .map((spelling) => `'${name} ${spelling}'`)
      .join('|')})`
    const completer = completerOf(flag)
    switch (completer.kind) {
      case 'words':
        return [`    ${pattern} compadd -- ${completer.words.join(' ')}; return ;;`]
      case 'file':
        return [`    ${pattern} _files; return ;;`]
      default:
        return [`    ${pattern} return ;;`]
    }
  })
}

function flagWords({flags}: CommandSurface): string {
  return flags.flatMap((flag) => spellings(flag).map((spelling) => described(spelling, flag.summary))).join(' ')
}

/** `'word:what it is'`, quoted for zsh; `_describe` takes the first colon as the border. */
function described(word: string, summary: string): string {
  const text = summary === '' ? word.replaceAll(':', '\\:') : `${word.replaceAll(':', '\\:')}:${summary}`
  return `'${text.replaceAll("'", "'\\''")}'`
}
