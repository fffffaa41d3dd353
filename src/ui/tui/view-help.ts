import type {Model} from './model.js'
import {span, type Line} from './text.js'

const move: readonly [string, string][] = [
  ['up down j k', 'move; PgUp PgDn, g G and Home End likewise'],
  ['Enter', 'detail of the pair; Esc goes back'],
  ['v', 'hosts and their agents; v again: pairs'],
  ['/', 'filter: text, ~regex, column:value, !not; several words must all fit'],
  ['p', 'only pairs that are not protected or have something to tell'],
  ['Esc', 'no filter, all pairs'],
  ['Tab', 'freeze the figures, go on'],
  ['+ -', 'faster, slower'],
  ['? F1 h', 'this help'],
  ['q Ctrl-C', 'quit; twice while an action runs: that interrupts it'],
]

const sorts: readonly [string, string][] = [
  ['N S', 'by name (as at the start), state (worst first)'],
  ['P O', 'by primary, by secondary'],
  ['C D', 'by checkpoints, divergence per second'],
  ['L R A', 'by p99 of the pause, resync, agents that answer'],
]

const actions: readonly [string, string][] = [
  ['f', 'failover; planned when both copies live. The name must be typed'],
  ['t', 'test failover: really ends the primary. The name must be typed'],
  ['c', 'a checkpoint now'],
  ['r', 'resync: bring a new or returning secondary level. The name must be typed'],
  ['s u', 'suspend the protection, resume it. The name must be typed'],
]

const words: readonly [string, string][] = [
  ['CKPT/S', 'checkpoints per second, over the last 10 s'],
  ['P50 P99', 'pause of the guest in a checkpoint, ms, of the last 128'],
  ['DIV/S', 'checkpoints because the answers differed, or the secondary gave none in time'],
  ['LINKS', 'connections between the hosts that are up, of all'],
  ['! ?', 'has a problem; nothing is known now, the last state is shown'],
]

export function helpLines(model: Model): readonly Line[] {
  const block = (title: string, keys: readonly [string, string][]): Line[] => [
    [span(title, 'head')],
    ...keys.map(([key, what]): Line => [span(`  ${key.padEnd(13)}`, 'key'), span(what)]),
    [],
  ]
  const ours = model.settings.readOnly
    ? ([[span('ACTIONS', 'head')], [span('  none: started with --read-only')], []] as Line[])
    : block('ACTIONS (each asks first, with the focus on Cancel)', actions)
  return [...block('KEYS', move), ...block('SORT (again: reversed)', sorts), ...ours, ...block('COLUMNS', words)]
}
