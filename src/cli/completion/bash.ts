import type {CommandSurface} from '../surface.js'
import {completerOf, namedCommands, spellings, takesPair, topicsOf} from './words.js'

/** A bash function for `colo`; names of pairs are asked for when they are needed. */
export function bashCompletion(surfaces: readonly CommandSurface[]): string {
  const commands = namedCommands(surfaces)
  const topics = topicsOf(surfaces)
  const paths = [...new Set([...topics.map(({path}) => path), ...commands.map(([name]) => name)])].filter(
    (path) => path !== '',
  )
  const known = paths.map((path) => `'${path}'`).join('|')
  return `# bash completion of colo; load it with: source <(colo completion bash)
_colo() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} path= next words= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    next="$path\${path:+ }\${COMP_WORDS[i]}"
    case $next in
      ${known}) path=$next ;;
      *) break ;;
    esac
  done
  case "$path $prev" in
${commands.flatMap(([name, surface]) => valueCases(name, surface)).join('\n')}
  esac
  if [[ $cur == -* ]]; then
    case $path in
${commands.map(([name, {flags}]) => `      '${name}') words='${flags.flatMap(spellings).join(' ')}' ;;`).join('\n')}
    esac
  else
    case $path in
${topics.map(({path, words}) => `      '${path}') words='${words.map(({word}) => word).join(' ')}' ;;`).join('\n')}
      ${pairCommands(commands)}) words=$(colo pair list -o name --quiet 2>/dev/null) ;;
${commands.flatMap(([name, surface]) => argumentCase(name, surface)).join('\n')}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _colo colo
`
}

type Named = ReadonlyArray<readonly [string, CommandSurface]>

function valueCases(name: string, {flags}: CommandSurface): string[] {
  return flags.flatMap((flag) => {
    if (flag.type === 'boolean') return []
    const pattern = spellings(flag)
      .map((spelling) => `'${name} ${spelling}'`)
      .join('|')
    const completer = completerOf(flag)
    switch (completer.kind) {
      case 'words':
        return [`    ${pattern}) COMPREPLY=($(compgen -W '${completer.words.join(' ')}' -- "$cur")); return ;;`]
      case 'file':
        return [`    ${pattern}) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")); return ;;`]
      default:
        return [`    ${pattern}) return ;;`]
    }
  })
}

function pairCommands(commands: Named): string {
  return commands
    .filter(([, surface]) => takesPair(surface))
    .map(([name]) => `'${name}'`)
    .join('|')
}

function argumentCase(name: string, {args}: CommandSurface): string[] {
  const values = args[0]?.values
  return values === undefined ? [] : [`      '${name}') words='${values.join(' ')}' ;;`]
}
