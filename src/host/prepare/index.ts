import {ColoError, PreflightError, ToolError} from '../../errors.js'
import {readTemplate} from '../../os/templates.js'
import {
  appArmorBase,
  appArmorPlaceOf,
  libvirtMark,
  wantedOn,
  type Directories,
  type PrepareTemplates,
  type Wanted,
} from './desired.js'
import {observeScript, parseState, type HostState} from './observe.js'
import {quoted, type Place} from './place.js'
import {planPrepare, type PrepareCommand, type PreparePlan, type PrepareStep} from './plan.js'

const LOOK_MS = 30_000
/** packages come over the network */
const COMMAND_MS = 600_000

/** What was done on one host, or would be. */
export interface PreparedHost {
  readonly host: string
  readonly changed: boolean
  readonly steps: ReadonlyArray<{readonly id: string; readonly why: string; readonly commands: readonly string[]}>
  readonly left: readonly string[]
}

/** The plan of one host. Nothing is changed. @throws {ConflictError} for foreign files, {PreflightError} when not root */
export async function lookAndPlan(place: Place, at: Directories): Promise<PreparePlan> {
  const templates = await readTemplates()
  const withAppArmor = wantedOn(at, templates, 'directory')
  const state = await look(place, withAppArmor, wantedOn(at, templates, 'local'))
  if (state.uid !== 0) {
    throw new PreflightError('root', `${place.name}: only root can prepare a host, and this is user ${state.uid}`, {
      hint: 'run it as root (sudo colo ...), or let the connection be ssh://root@...',
    })
  }
  const appArmor = appArmorPlaceOf(state.paths.get(appArmorBase)?.text)
  return planPrepare(place.name, wantedOn(at, templates, appArmor), state)
}

/**
 * Carries out a plan. What was done stays when a command fails or is interrupted: run again, it goes on from there.
 *
 * @returns what was done in the end: packages bring files of their own, so after them the host is looked at again
 */
export async function carryOut(
  place: Place,
  plan: PreparePlan,
  options: {readonly at: Directories; readonly signal: AbortSignal; readonly report: (id: string) => void},
): Promise<PreparePlan> {
  const packages = plan.steps.filter(({id}) => id === 'packages')
  if (packages.length === 0) {
    await perform(place, plan.steps, options)
    return plan
  }
  await install(place, packages, options)
  const rest = await lookAndPlan(place, options.at)
  const missing = namesIn(rest.steps)
  if (missing !== '') {
    throw new PreflightError(
      'packages',
      `${place.name}: programs of ${missing} are missing although apt-get has installed it`,
      {
        hint: `install anew: apt-get install --reinstall ${missing}`,
      },
    )
  }
  await perform(place, rest.steps, options)
  return {steps: [...packages, ...rest.steps], left: rest.left}
}

/** @throws {ColoError} with the names of the packages: what apt-get says of them may be a wall of mirrors */
async function install(
  place: Place,
  steps: readonly PrepareStep[],
  options: Parameters<typeof perform>[2],
): Promise<void> {
  try {
    await perform(place, steps, options)
  } catch (error) {
    if (!(error instanceof ToolError)) throw error
    const names = namesIn(steps)
    throw new ColoError('packages', error.exit, `${place.name}: cannot install ${names}: ${error.message}`, {
      cause: error,
      hint: `nothing else was changed; mend apt's sources or the network there, or install by hand: apt-get install ${names}; then colo host prepare again`,
    })
  }
}

/** As apt-get takes them; empty when no package is among the steps. */
function namesIn(steps: readonly PrepareStep[]): string {
  return steps.flatMap(({packages = []}) => packages).join(' ')
}

async function perform(
  place: Place,
  steps: readonly PrepareStep[],
  {signal, report}: {readonly signal: AbortSignal; readonly report: (id: string) => void},
): Promise<void> {
  for (const {id, commands} of steps) {
    report(id)
    for (const {argv, input} of commands) {
      signal.throwIfAborted()
      await place.run(argv, {timeoutMs: COMMAND_MS, ...(input === undefined ? {} : {input})})
    }
  }
}

export function preparedHost(host: string, {steps, left}: PreparePlan): PreparedHost {
  return {
    host,
    changed: steps.length > 0,
    steps: steps.map(({id, why, commands}) => ({id, why, commands: commands.flatMap(commandLines)})),
    left,
  }
}

/** As a person could type it; files as here-documents. */
function commandLines({argv, input}: PrepareCommand): string[] {
  const line = argv.map(quoted).join(' ')
  if (input === undefined) return [line]
  return [`${line} <<'COLO-END'`, ...input.replace(/\n$/, '').split('\n'), 'COLO-END']
}

async function look(place: Place, ...wanted: readonly Wanted[]): Promise<HostState> {
  const tools = new Set([...wanted.flatMap((each) => Object.keys(each.tools)), 'colo', 'apt-get'])
  const units = new Set(wanted.flatMap((each) => each.units))
  const paths = new Set(wanted.flatMap((each) => [...each.files, ...each.directories].map(({path}) => path)))
  const words = [[...tools].join(' '), [...units].join(' '), ...paths, appArmorBase, libvirtMark]
  return parseState(await place.run(['sh', '-c', observeScript, 'sh', ...words], {timeoutMs: LOOK_MS}))
}

async function readTemplates(): Promise<PrepareTemplates> {
  const [hook, agentUnit, drainUnit, logrotate] = await Promise.all(
    ['libvirt/qemu-hook.sh', 'systemd/colo-agent.service', 'systemd/colo-drain.service', 'logrotate/colo'].map(
      async (name) => (await readTemplate(name)).text,
    ),
  )
  return {hook: hook ?? '', agentUnit: agentUnit ?? '', drainUnit: drainUnit ?? '', logrotate: logrotate ?? ''}
}
