import {DecodeError} from '../../errors.js'

/** What stands at a path. `text` of regular files. */
export interface Found {
  readonly kind: 'directory' | 'file' | 'other'
  readonly mode: number
  readonly owner: string
  readonly text: string
}

/** What `observeScript` saw on a host. */
export interface HostState {
  readonly uid: number
  /** programs that are missing */
  readonly missing: ReadonlySet<string>
  /** colo is on the PATH */
  readonly colo: boolean
  readonly apt: boolean
  readonly systemd: boolean
  /** by unit: words of `systemctl is-enabled` and `is-active` */
  readonly units: ReadonlyMap<string, {readonly enabled: string; readonly active: string}>
  readonly paths: ReadonlyMap<string, Found>
}

/**
 * One look at everything, for `sh -c SCRIPT sh TOOLS UNITS PATHS...`: TOOLS and UNITS are words in one argument. Prints lines of
 * fields between tabs; contents as base64. Changes nothing.
 */
export const observeScript = `tools=$1 units=$2
shift 2
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
export PATH LC_ALL
printf 'uid\\t%s\\n' "$(id -u)"
for tool in $tools; do command -v "$tool" >/dev/null 2>&1 || printf 'missing\\t%s\\n' "$tool"; done
if [ -d /run/systemd/system ]; then
  printf 'has\\tsystemd\\n'
  for unit in $units; do
    printf 'unit\\t%s\\t%s\\t%s\\n' "$unit" "$(systemctl is-enabled "$unit" 2>/dev/null)" "$(systemctl is-active "$unit" 2>/dev/null)"
  done
fi
for path; do
  if [ -e "$path" ] || [ -L "$path" ]; then
    printf 'path\\t%s\\t%s\\t' "$path" "$(stat -c '%a %U' -- "$path")"
    if [ -L "$path" ]; then printf 'other\\t'
    elif [ -d "$path" ]; then printf 'directory\\t'
    elif [ -f "$path" ]; then printf 'file\\t'; base64 -w0 -- "$path"
    else printf 'other\\t'; fi
    printf '\\n'
  fi
done`

/** @throws {DecodeError} when it is not what the script prints */
export function parseState(stdout: string): HostState {
  const rows = stdout.split('\n').map((line) => line.split('\t'))
  const of = (word: string): string[][] => rows.filter(([first]) => first === word)
  const uid = Number(of('uid')[0]?.[1])
  if (!Number.isInteger(uid)) throw new DecodeError({source: 'look at the host', path: 'uid', expected: 'a number'})
  const missing = new Set(of('missing').map(([, tool = '']) => tool))
  return {
    uid,
    missing,
    colo: !missing.has('colo'),
    apt: !missing.has('apt-get'),
    systemd: of('has').some(([, what]) => what === 'systemd'),
    units: new Map(of('unit').map(([, unit = '', enabled = '', active = '']) => [unit, {enabled, active}])),
    paths: new Map(of('path').map(([, path = '', ...rest]) => [path, foundOf(path, rest)])),
  }
}

function foundOf(path: string, [stat = '', kind = '', text = '']: readonly string[]): Found {
  const [mode = '', owner = ''] = stat.split(' ')
  if (!/^[0-7]+$/.test(mode) || !['directory', 'file', 'other'].includes(kind))
    throw new DecodeError({source: 'look at the host', path, expected: 'mode, owner and kind'})
  return {
    kind: kind as Found['kind'],
    mode: Number.parseInt(mode, 8),
    owner,
    text: Buffer.from(text, 'base64').toString('utf8'),
  }
}
