import {ConflictError} from '../../errors.js'
import type {Argv} from '../../os/process.js'
import {allowsTun} from '../probe/forwarding.js'
import {tunRemedy} from '../rules/forwarding.js'
import {libvirtMark, octal, ownMark, type Wanted, type WantedDirectory, type WantedFile} from './desired.js'
import type {HostState} from './observe.js'

/** One command on the host; `input` is its standard input. */
export interface PrepareCommand {
  readonly argv: Argv
  readonly input?: string
}

export interface PrepareStep {
  /** stable, such as `file /etc/logrotate.d/colo` */
  readonly id: string
  readonly why: string
  readonly commands: readonly PrepareCommand[]
  /** Debian's names of what is installed */
  readonly packages?: readonly string[]
}

export interface PreparePlan {
  readonly steps: readonly PrepareStep[]
  /** what cannot be done from here, each with what to do */
  readonly left: readonly string[]
}

/**
 * What a host lacks, as commands; nothing for what is there already.
 *
 * @param host  its name in messages
 * @throws {ConflictError} when a file of ours would replace one that is not ours
 */
export function planPrepare(host: string, wanted: Wanted, state: HostState): PreparePlan {
  for (const each of wanted.files) refuseForeign(host, each, state)
  for (const each of wanted.directories) refuseNoDirectory(host, each, state)
  const packages = packageSteps(wanted, state)
  const directories = wanted.directories.flatMap((each) => directoryStep(each, state))
  const files = wanted.files.flatMap((each) => fileStep(each, state))
  const changed = new Set(files.map(({id}) => id))
  const services = state.systemd ? serviceSteps(wanted, state, changed) : []
  return {
    steps: [...packages, ...directories, ...files, ...services],
    left: leftOn(wanted, state, changed),
  }
}

function refuseForeign(host: string, {path, why}: WantedFile, {paths}: HostState): void {
  const found = paths.get(path)
  if (found === undefined || (found.kind === 'file' && found.text.slice(0, 400).includes(ownMark))) return
  throw new ConflictError(`${host}: ${path} is there already and is not colo's (${why}); nothing was changed`, {
    hint: 'look at it; move it away, then run this again',
  })
}

function refuseNoDirectory(host: string, {path}: WantedDirectory, {paths}: HostState): void {
  const found = paths.get(path)
  if (found === undefined || found.kind === 'directory') return
  throw new ConflictError(`${host}: ${path} is to be a directory, but is none; nothing was changed`, {
    hint: 'move it away, then run this again',
  })
}

function packagesMissing({tools}: Wanted, state: HostState): string[] {
  const packages = Object.entries(tools).flatMap(([tool, debian]) => (state.missing.has(tool) ? [debian] : []))
  return [...new Set([...packages, ...(state.paths.has(libvirtMark) ? [] : ['libvirt-daemon-system'])])].sort()
}

function packageSteps(wanted: Wanted, state: HostState): PrepareStep[] {
  const packages = packagesMissing(wanted, state)
  if (packages.length === 0 || !state.apt) return []
  const install = ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...packages] as const
  const commands = [['apt-get', 'update', '-qq'], install] as const
  const why = 'programs that pairs need'
  return [{id: 'packages', why, packages, commands: commands.map((argv) => ({argv: quietly(argv)}))}]
}

function quietly(argv: readonly string[]): Argv {
  return ['env', 'DEBIAN_FRONTEND=noninteractive', ...argv]
}

function directoryStep({path, mode, chosen}: WantedDirectory, {paths}: HostState): PrepareStep[] {
  const found = paths.get(path)
  if (found !== undefined && chosen === true) return []
  if (found?.mode === mode && found.owner === 'root') return []
  const argv: Argv = ['install', '-d', '-m', octal(mode), '-o', 'root', '-g', 'root', path]
  return [{id: `directory ${path}`, why: 'directory', commands: [{argv}]}]
}

/** Written beside it and moved into its place: whoever reads it sees the old one or the new one. */
function fileStep({path, mode, text, why}: WantedFile, {paths}: HostState): PrepareStep[] {
  const found = paths.get(path)
  if (found?.text === text && found.mode === mode && found.owner === 'root') return []
  const fresh = `${path}.colo-new`
  const directory = path.slice(0, path.lastIndexOf('/'))
  const commands: PrepareCommand[] = [
    {argv: ['mkdir', '-p', directory]},
    {argv: ['tee', fresh], input: text},
    {argv: ['chmod', octal(mode), fresh]},
    {argv: ['chown', 'root:root', fresh]},
    {argv: ['mv', '-f', fresh, path]},
  ]
  return [{id: `file ${path}`, why, commands}]
}

function serviceSteps(wanted: Wanted, state: HostState, changed: ReadonlySet<string>): PrepareStep[] {
  const step = (id: string, why: string, ...argv: Argv): PrepareStep => ({id, why, commands: [{argv}]})
  const fileOf = (unit: string): string => `file /etc/systemd/system/${unit}`
  const steps: PrepareStep[] = []
  if (wanted.units.some((unit) => changed.has(fileOf(unit))))
    steps.push(step('units', 'systemd reads the units', 'systemctl', 'daemon-reload'))
  if (changed.has('file /etc/libvirt/hooks/qemu.d/colo')) {
    const why = 'libvirt looks for hooks when it starts; guests run on'
    steps.push(step('libvirt', why, 'systemctl', 'try-restart', 'libvirtd.service', 'virtqemud.service'))
  }
  if (!state.colo) return steps // the units would fail without it
  for (const unit of wanted.units) {
    const {enabled = '', active = ''} = state.units.get(unit) ?? {}
    if (enabled !== 'enabled' || active !== 'active')
      steps.push(step(`unit ${unit}`, 'starts now and at boot', 'systemctl', 'enable', '--now', unit))
    else if (unit === 'colo-agent.service' && changed.has(fileOf(unit)))
      steps.push(step(`unit ${unit}`, 'its unit changed; guests run on', 'systemctl', 'restart', unit))
  }
  return steps
}

function leftOn(wanted: Wanted, state: HostState, changed: ReadonlySet<string>): string[] {
  const left: string[] = []
  const packages = packagesMissing(wanted, state)
  if (packages.length > 0 && !state.apt)
    left.push(`this is no Debian; install by hand what has the programs of: ${packages.join(', ')}`)
  if (!state.colo)
    left.push(
      'colo is not on the PATH of this host: install it there (npm ci && npm run build && npm link), then run this again',
    )
  if (!state.systemd && changed.size > 0)
    left.push(
      'systemd does not run here: restart libvirtd for its hook, and start `colo agent` by what starts services here',
    )
  // somebody else's file, with settings of its own: said, not edited
  const conf = state.paths.get(libvirtMark)
  if (wanted.tun && conf?.kind === 'file' && !allowsTun(conf.text))
    left.push(`libvirt keeps /dev/net/tun from QEMU, which \`forward: {via: tc}\` needs: ${tunRemedy}`)
  return left
}
