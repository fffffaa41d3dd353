import {BaseCommand} from '../../src/cli/base-command.js'
import {argument, dryRun, hosts} from '../../src/cli/flags.js'
import {prose} from '../../src/cli/prose.js'
import type {PreparedHost} from '../../src/host/prepare/index.js'

/** The document of `colo host prepare --json`. */
export interface HostPrepareDocument {
  /** something was changed on some host; in a dry run: would be */
  readonly changed: boolean
  readonly dryRun: boolean
  readonly hosts: readonly PreparedHost[]
}

export default class HostPrepare extends BaseCommand {
  static override strict = false
  static override summary = 'give hosts what colo needs: packages, directories, units, hook'
  static override description =
    prose(`Looks at each host first, over ssh where it is another one, and then does only what is missing: Debian packages, directories with their
modes, the libvirt hook that keeps everything but colo from starting a copy, the systemd units of the agent and of the drain at shutdown,
rotation of the audit log, and where AppArmor's rules for QEMU are installed, an addition for exactly the directories of images, scratch
and sockets (never run under AppArmor by colo's own tests). Run again it changes nothing. No agent is needed.

A file of the same name that colo did not make is never replaced: nothing is changed on that host, and the command ends with 4. All hosts are
looked at before the first is changed.

A host is a name of the inventory, a connection such as ssh://root@beta, or without any this machine. Directories are those of the inventory, else
the usual ones. colo itself is not installed; the packages of QEMU are the distribution's, and "<%= config.bin %> host check" says whether they run COLO.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> ssh://root@beta --dry-run',
    '<%= config.bin %> <%= command.id %> alpha beta --json',
  ]
  static override args = {
    host: argument({name: 'HOST', description: 'name or connection of a host; else this machine'}),
  }
  static override flags = {hosts: hosts(), 'dry-run': dryRun()}

  async run(): Promise<HostPrepareDocument> {
    const {argv, flags} = await this.parse(HostPrepare)
    const [{prepareTargets}, {carryOut, lookAndPlan, preparedHost}, {placeOf}, {run}] = await Promise.all([
      import('../../src/operation/prepare-hosts.js'),
      import('../../src/host/prepare/index.js'),
      import('../../src/host/prepare/place.js'),
      import('../../src/os/process.js'),
    ])
    const names = argv.filter((word) => typeof word === 'string')
    const targets = await prepareTargets(names, () => this.inventory(flags.hosts), flags.hosts !== undefined)
    const planned = await Promise.all(
      targets.map(async ({name, connection, directories}) => {
        const place = placeOf(name, connection, run, process.env['COLO_SSH_CONFIG'])
        return {place, at: directories, plan: await lookAndPlan(place, directories)}
      }),
    )
    const dry = flags['dry-run'] ?? false
    const prepared: PreparedHost[] = []
    for (const {place, at, plan} of planned) {
      const report = (id: string): void => {
        if (flags.verbose) process.stderr.write(`${place.name}: ${id}\n`)
      }
      const done = dry ? plan : await carryOut(place, plan, {at, signal: this.interruptSignal, report})
      prepared.push(preparedHost(place.name, done))
    }
    if (!flags.quiet) this.log(prepared.flatMap((each) => linesOf(each, dry)).join('\n'))
    return {changed: prepared.some(({changed}) => changed), dryRun: dry, hosts: prepared}
  }
}

function linesOf({host, steps, left}: PreparedHost, dry: boolean): string[] {
  const done = dry
    ? steps.flatMap(({why, commands}) => [`# ${why}`, ...commands])
    : steps.map(({id, why}) => `  changed: ${id} (${why})`)
  const nothing = steps.length === 0 ? [`${dry ? '# ' : '  '}unchanged: all is there`] : []
  return [
    dry ? `## on ${host}` : `${host}:`,
    ...done,
    ...nothing,
    ...left.map((text) => `${dry ? '# ' : '  '}left: ${text}`),
  ]
}
