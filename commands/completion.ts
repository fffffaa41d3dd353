import {BaseCommand} from '../src/cli/base-command.js'
import {argument} from '../src/cli/flags.js'
import {prose} from '../src/cli/prose.js'
import {unreachable} from '../src/errors.js'

const shells = ['bash', 'zsh', 'fish'] as const

export interface CompletionDocument {
  readonly shell: string
  readonly script: string
}

export default class Completion extends BaseCommand {
  static override summary = 'print a completion script for a shell'
  static override description =
    prose(`The script knows commands and flags as they are in this version; names of pairs are asked for when they are
needed.`)
  static override examples = [
    'source <(<%= config.bin %> <%= command.id %> bash)',
    '<%= config.bin %> <%= command.id %> bash > /etc/bash_completion.d/colo',
    '<%= config.bin %> <%= command.id %> fish > ~/.config/fish/completions/colo.fish',
  ]
  static override args = {shell: argument({description: 'bash, zsh or fish', options: [...shells], required: true})}

  async run(): Promise<CompletionDocument> {
    const {args} = await this.parse(Completion)
    const shell = args.shell as (typeof shells)[number]
    const script = await this.#scriptFor(shell)
    this.log(script.trimEnd())
    return {shell, script}
  }

  async #scriptFor(shell: (typeof shells)[number]): Promise<string> {
    const {surfaceOf} = await import('../src/cli/surface.js')
    const surfaces = await surfaceOf(this.config)
    switch (shell) {
      case 'bash':
        return (await import('../src/cli/completion/bash.js')).bashCompletion(surfaces)
      case 'zsh':
        return (await import('../src/cli/completion/zsh.js')).zshCompletion(surfaces)
      case 'fish':
        return (await import('../src/cli/completion/fish.js')).fishCompletion(surfaces)
      default:
        return unreachable(shell)
    }
  }
}
