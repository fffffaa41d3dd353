import {Flags} from '@oclif/core'
import {BaseCommand} from '../src/cli/base-command.js'
import {argument, checkedName, timeout} from '../src/cli/flags.js'
import {prose} from '../src/cli/prose.js'
import {endWithReader} from '../src/cli/reader.js'
import type {TopSettings} from '../src/cli/top.js'
import type {TopDocument} from '../src/cli/top-plain.js'
import {UsageError} from '../src/errors.js'
import {exitCodes} from '../src/exit-codes.js'

export default class Top extends BaseCommand {
  static override summary = 'watch all pairs live, and act on them'
  static override description =
    prose(`Shows every pair of all hosts: its state and why, checkpoints per second, pauses of the guest, divergence, resync and links. Enter
shows one pair in detail, ? the keys. Failover, checkpoint and resync each ask first; what ends a copy wants the pair's name typed.

Without a terminal, with --plain or --json it prints the same once and ends. It takes no lock and changes nothing by itself.`)
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> web1 web2 --read-only',
    '<%= config.bin %> <%= command.id %> --plain --count 0 --interval 5s',
  ]
  static override strict = false
  static override args = {
    pair: argument({
      description: 'show only these pairs; one alone is shown in detail with --plain',
      required: false,
    }),
  }
  static override flags = {
    hosts: Flags.boolean({summary: 'begin with the hosts instead of the pairs'}),
    inventory: Flags.string({
      summary: 'inventory file; else COLO_HOSTS, $XDG_CONFIG_HOME/colo/hosts.yaml, /etc/colo/hosts.yaml',
      helpValue: 'FILE',
      helpGroup: 'GLOBAL',
    }),
    'read-only': Flags.boolean({summary: 'offer no actions'}),
    plain: Flags.boolean({summary: 'print text instead of taking the terminal'}),
    count: Flags.integer({
      summary: 'screens to print with --plain; 0 goes on until interrupted',
      default: 1,
      min: 0,
      helpValue: 'COUNT',
    }),
    ascii: Flags.boolean({summary: 'no characters beyond ASCII'}),
    interval: timeout('1s', 'time between two screens, from 250ms on'),
  }

  async run(): Promise<TopDocument | undefined> {
    const {argv, flags} = await this.parse(Top)
    const only = await Promise.all(argv.map((name) => checkedName(String(name))))
    if (flags.interval < 250)
      throw new UsageError(`an interval of ${flags.interval} ms is too short`, {hint: 'Give 250ms or more.'})
    const context = await this.operation({...flags, hosts: flags.inventory, quiet: true})
    const plain = flags.plain || this.jsonEnabled() || !isTerminal(process.env)
    const [first] = only
    const settings: TopSettings = {
      only,
      place: flags.hosts
        ? {kind: 'hosts'}
        : plain && only.length === 1 && first !== undefined
          ? {kind: 'detail', pair: first}
          : {kind: 'list'},
      readOnly: flags['read-only'],
      ascii: flags.ascii || (plain && !process.stdout.isTTY) || !isUnicode(process.env),
      intervalMs: flags.interval,
    }
    if (plain) {
      const {runPlain} = await import('../src/cli/top-plain.js')
      if (flags.count !== 1) endWithReader()
      const size = {columns: Math.max(80, process.stdout.columns ?? 120), rows: 200}
      const document = await runPlain(
        {context, settings},
        {count: this.jsonEnabled() ? 1 : flags.count, size, print: (text) => this.log(text.trimEnd())},
      )
      if (context.signal.aborted) this.endWith(exitCodes.interrupted)
      return document
    }
    const [{runTop}, {openTerminal}] = await Promise.all([
      import('../src/cli/top.js'),
      import('../src/ui/tui/screen.js'),
    ])
    await runTop({
      context,
      settings,
      open: (callbacks) => openTerminal({input: process.stdin, output: process.stdout, env: process.env, ...callbacks}),
    })
    if (context.signal.aborted) this.endWith(exitCodes.interrupted)
    return undefined
  }
}

/** blessed needs to read keys and to move the cursor. */
function isTerminal(env: NodeJS.ProcessEnv): boolean {
  return process.stdin.isTTY && process.stdout.isTTY && (env['TERM'] ?? 'dumb') !== 'dumb'
}

function isUnicode({LC_ALL, LC_CTYPE, LANG}: NodeJS.ProcessEnv): boolean {
  return /utf-?8/i.test(LC_ALL ?? LC_CTYPE ?? LANG ?? '')
}
