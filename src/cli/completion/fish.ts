import type {CommandSurface, FlagSurface} from '../surface.js'
import {completerOf, namedCommands, takesPair, topicsOf} from './words.js'

/** Commands for fish, one line per word and flag. */
export function fishCompletion(surfaces: readonly CommandSurface[]): string {
  const commands = namedCommands(surfaces)
  const topics = topicsOf(surfaces)
  const paths = [...new Set([...topics.map(({path}) => path), ...commands.map(([name]) => name)])].filter(
    (path) => path !== '',
  )
  return `# fish completion of colo; load it with: colo completion fish | source
function __colo_path
    set -l path ''
    for word in (commandline -opc)[2..-1]
        set -l next (string trim -- "$path $word")
        contains -- "$next" ${paths.map(quoted).join(' ')}; or break
        set path $next
    end
    echo $path
end
function __colo_at
    test (__colo_path) = "$argv[1]"
end
complete -c colo -f
${topics.flatMap(({path, words}) => words.map(({word, summary}) => `complete -c colo -n ${at(path)} -a ${quoted(word)} -d ${quoted(summary)}`)).join('\n')}
${commands.flatMap(([name, surface]) => commandLines(name, surface)).join('\n')}
`
}

function commandLines(name: string, surface: CommandSurface): string[] {
  const values = surface.args[0]?.values
  return [
    ...(takesPair(surface)
      ? [`complete -c colo -n ${at(name)} -a '(colo pair list -o name --quiet 2>/dev/null)'`]
      : []),
    ...(values === undefined ? [] : [`complete -c colo -n ${at(name)} -a ${quoted(values.join(' '))}`]),
    ...surface.flags.flatMap((flag) => flagLines(name, flag)),
  ]
}

function flagLines(name: string, flag: FlagSurface): string[] {
  const short = flag.char === undefined ? '' : ` -s ${flag.char}`
  const line = `complete -c colo -n ${at(name)} -l ${flag.name}${short}${valueOf(flag)} -d ${quoted(flag.summary)}`
  return flag.negatable
    ? [line, `complete -c colo -n ${at(name)} -l no-${flag.name} -d ${quoted(`not: ${flag.summary}`)}`]
    : [line]
}

function valueOf(flag: FlagSurface): string {
  if (flag.type === 'boolean') return ''
  const completer = completerOf(flag)
  switch (completer.kind) {
    case 'words':
      return ` -x -a ${quoted(completer.words.join(' '))}`
    case 'file':
      return ' -r -F'
    default:
      return ' -x'
  }
}

function at(path: string): string {
  return `'__colo_at "${path}"'`
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
