import type {Command, Config} from '@oclif/core'

/** One flag as help, man pages and completion tell it. */
export interface FlagSurface {
  readonly name: string
  readonly char?: string
  readonly summary: string
  readonly type: 'boolean' | 'option'
  /** `--no-NAME` turns it off */
  readonly negatable: boolean
  /** `FILE`; options only */
  readonly value?: string
  readonly values?: readonly string[]
  readonly multiple: boolean
  readonly required: boolean
  readonly standard?: string
  /** every command has it */
  readonly global: boolean
}

export interface ArgSurface {
  readonly name: string
  readonly description: string
  readonly required: boolean
  readonly values?: readonly string[]
}

/** One command as users see it. */
export interface CommandSurface {
  /** `pair status` */
  readonly command: string
  readonly aliases: readonly string[]
  readonly summary: string
  readonly description: string
  readonly examples: readonly string[]
  readonly args: readonly ArgSurface[]
  /** sorted by name, global ones last */
  readonly flags: readonly FlagSurface[]
  readonly json: boolean
  /** takes more words than it has arguments */
  readonly open: boolean
}

/** What all commands look like, by name; hidden ones are left out. */
export async function surfaceOf(config: Config): Promise<readonly CommandSurface[]> {
  const commands = config.commands.filter(({hidden}) => !hidden)
  const names = new Set(commands.flatMap(({aliases}) => aliases))
  const surfaces = commands.filter(({id}) => !names.has(id)).map((command) => commandSurface(config, command))
  return (await Promise.all(surfaces)).sort((a, b) => a.command.localeCompare(b.command))
}

async function commandSurface(config: Config, command: Command.Loadable): Promise<CommandSurface> {
  const name = spaced(command.id)
  const fill = (text: string): string =>
    text.replaceAll('<%= config.bin %>', config.bin).replaceAll('<%= command.id %>', name)
  const flags = await Promise.all(Object.values(command.flags).map(flagSurface))
  return {
    command: name,
    aliases: command.aliases.map(spaced).sort(),
    summary: fill(command.summary ?? ''),
    description: fill(command.description ?? ''),
    examples: (command.examples ?? []).map((example) => fill(exampleText(example))),
    args: Object.values(command.args).map((arg) => ({
      name: arg.name.toUpperCase(),
      description: arg.description ?? '',
      required: arg.required === true,
      ...(arg.options === undefined ? {} : {values: arg.options}),
    })),
    flags: flags.sort((a, b) => Number(a.global) - Number(b.global) || a.name.localeCompare(b.name)),
    json: 'json' in command.flags,
    open: command.strict === false,
  }
}

async function flagSurface(flag: Command.Flag.Cached): Promise<FlagSurface> {
  const option = flag.type === 'option' ? flag : undefined
  const standard = await standardOf(flag)
  return {
    name: flag.name,
    ...(flag.char === undefined ? {} : {char: flag.char}),
    summary: flag.summary ?? flag.description ?? '',
    type: flag.type,
    negatable: flag.type === 'boolean' && flag.allowNo,
    ...(option === undefined ? {} : {value: valueName(option)}),
    ...(option?.options === undefined ? {} : {values: option.options}),
    multiple: option?.multiple === true,
    required: flag.required === true,
    ...(standard === undefined ? {} : {standard}),
    global: flag.helpGroup === 'GLOBAL',
  }
}

function valueName(option: Command.Flag.Cached & {readonly helpValue?: string | string[]}): string {
  const {helpValue} = option
  if (helpValue === undefined) return option.name.toUpperCase()
  return typeof helpValue === 'string' ? helpValue : helpValue.join(' ')
}

/** The text of a default value; a manifest holds it as text already, a loaded command as a function. */
async function standardOf(flag: Command.Flag.Cached): Promise<string | undefined> {
  if (flag.type === 'boolean') return undefined
  const {defaultHelp, default: standard} = flag as {readonly defaultHelp?: unknown; readonly default?: unknown}
  const told: unknown =
    typeof defaultHelp === 'function' ? await (defaultHelp as () => Promise<unknown>)() : defaultHelp
  const value = told ?? (typeof standard === 'function' ? undefined : standard)
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
}

function exampleText(example: Command.Example): string {
  return typeof example === 'string' ? example : example.command
}

function spaced(id: string): string {
  return id.replaceAll(':', ' ')
}
