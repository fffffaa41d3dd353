import type {PairStatus} from '../../pair/status.js'
import type {ActionKind, Dialog, Effect, Key, Model, Step} from './model.js'

export const actionKeys = {
  f: 'failover',
  t: 'test-failover',
  c: 'checkpoint',
  r: 'resync',
  s: 'suspend',
  u: 'resume',
} as const

/** Why an action is not to be had now; undefined when it is. */
export function refusal(action: ActionKind, status: PairStatus | undefined, model: Model): string | undefined {
  if (model.settings.readOnly) return 'read-only: no actions'
  if (status === undefined) return 'the state of this pair is not known yet'
  const running = model.actions.find(({pair, state}) => pair === status.pair && state === 'running')
  if (running !== undefined) return `${running.title} is running`
  switch (action) {
    case 'failover':
      return status.state === 'stopped' || status.state === 'split-brain'
        ? `${status.pair} is ${status.state}`
        : undefined
    case 'checkpoint':
      return status.state === 'protected' || status.state === 'suspect'
        ? undefined
        : `${status.pair} is ${status.state}`
    case 'resync':
      if (isSuspended(status)) return `${status.pair} is suspended: u resumes it`
      return status.state === 'protected' ? `${status.pair} is protected already` : undefined
    case 'test-failover':
      return status.state === 'protected' ? undefined : `${status.pair} is ${status.state}, not protected`
    case 'suspend':
      if (isSuspended(status)) return `${status.pair} is suspended already`
      return status.state === 'protected' || status.state === 'unprotected'
        ? undefined
        : `${status.pair} is ${status.state}`
    case 'resume':
      return isSuspended(status) ? undefined : `${status.pair} is not suspended`
  }
}

function isSuspended({reasons}: PairStatus): boolean {
  return reasons.some(({code}) => code === 'suspended')
}

export function dialogFor(action: ActionKind, status: PairStatus): Dialog {
  const {pair} = status
  const common = {typed: '', focus: 'cancel', problem: undefined, purpose: {kind: 'start', action, pair}} as const
  switch (action) {
    case 'failover':
      return {...common, title: `Fail over ${pair}`, text: failoverText(status), confirm: 'Fail over', expected: pair}
    case 'checkpoint':
      return {
        ...common,
        title: `Checkpoint of ${pair} now`,
        text: ['The guest stands still for one checkpoint, as it does', 'many times a minute; nothing else changes.'],
        confirm: 'Checkpoint',
        expected: undefined,
      }
    case 'resync':
      return {...common, title: `Resync ${pair}`, text: resyncText(status), confirm: 'Resync', expected: pair}
    case 'test-failover':
      return {...common, title: `Test failover of ${pair}`, text: testText(status), confirm: 'Test', expected: pair}
    case 'suspend':
      return {...common, title: `Suspend ${pair}`, text: suspendText(status), confirm: 'Suspend', expected: pair}
    case 'resume':
      return {...common, title: `Resume ${pair}`, text: resyncText(status), confirm: 'Resume', expected: pair}
  }
}

/** An operation under way asks: S2 wants a person's explicit word. */
export function questionDialog(id: number, pair: string, text: string, expected: string): Dialog {
  return {
    title: `${pair}: a question`,
    text: text.split('\n'),
    confirm: 'Go on',
    expected,
    typed: '',
    focus: 'cancel',
    problem: undefined,
    purpose: {kind: 'answer', id},
  }
}

function failoverText({primary, secondary, members, state}: PairStatus): string[] {
  const bothLive = members.length === 2 && members.every(({reachable}) => reachable)
  if (state === 'protected' && bothLive) {
    return [
      `Planned: ${secondary ?? '?'} takes over after a last checkpoint, in a new`,
      `generation. The copy on ${primary ?? '?'} is fenced and ENDED, then brought`,
      'level again as the secondary. Connections are kept.',
    ]
  }
  return [
    'One copy goes on alone, in a new generation, as far as its own',
    'record says that it has every write. The other copy is ENDED.',
    `The pair is ${state} now.`,
  ]
}

function testText({primary, secondary}: PairStatus): string[] {
  return [
    `The primary on ${primary ?? '?'} is really ENDED, as if its host had died;`,
    `${secondary ?? '?'} takes over in a new generation. Then the old primary is`,
    'brought level again as the secondary. Connections are kept.',
  ]
}

function suspendText({primary, secondary}: PairStatus): string[] {
  return [
    `${primary ?? 'The running copy'} goes on alone, UNPROTECTED, until it is resumed.`,
    `The copy on ${secondary ?? 'the other host'} is ENDED; its disks stay there.`,
  ]
}

function resyncText({primary, secondary, members}: PairStatus): string[] {
  const other = members.find(({host}) => host === secondary)
  return [
    `The disks of ${primary ?? 'the running copy'} are copied whole to ${secondary ?? 'the other host'}; what is`,
    `there is OVERWRITTEN${other?.domain === 'running' ? ', and the VM that still runs there is ENDED' : ''}. The guest goes on running.`,
  ]
}

/** Keys while a dialog is open: nothing else gets them. */
export function dialogKey(model: Model, dialog: Dialog, key: Key): Step {
  const change = (fields: Partial<Dialog>): Step => ({model: {...model, dialog: {...dialog, ...fields}}, effects: []})
  switch (key.name) {
    case 'escape':
    case 'C-c':
      return closed(model, dialog)
    case 'tab':
    case 'S-tab':
    case 'left':
    case 'right':
    case 'up':
    case 'down':
      return change({focus: dialog.focus === 'cancel' ? 'confirm' : 'cancel', problem: undefined})
    case 'backspace':
      return change({typed: dialog.typed.slice(0, -1), problem: undefined})
    case 'enter':
      if (dialog.focus === 'cancel') return closed(model, dialog)
      if (dialog.expected !== undefined && dialog.typed !== dialog.expected) {
        const wrong = dialog.typed === '' ? 'nothing was typed' : `${dialog.typed} is not ${dialog.expected}`
        return change({problem: `${wrong}: nothing was done`})
      }
      return confirmed(model, dialog)
    default:
      if (key.char === undefined || dialog.expected === undefined || dialog.typed.length >= 64)
        return {model, effects: []}
      return change({typed: dialog.typed + key.char, problem: undefined})
  }
}

function closed(model: Model, {purpose}: Dialog): Step {
  const effects: Effect[] = purpose.kind === 'answer' ? [{kind: 'answer', id: purpose.id, yes: false}] : []
  return {model: {...model, dialog: undefined}, effects}
}

function confirmed(model: Model, {purpose, title}: Dialog): Step {
  if (purpose.kind === 'answer') {
    return {model: {...model, dialog: undefined}, effects: [{kind: 'answer', id: purpose.id, yes: true}]}
  }
  const {action, pair} = purpose
  const id = model.nextId
  const view = {
    id,
    pair,
    title,
    state: 'running' as const,
    startedAtMs: model.nowMs,
    endedAtMs: undefined,
    text: 'looking at both hosts',
    steps: {done: 0, total: 0},
  }
  return {
    model: {...model, dialog: undefined, nextId: id + 1, actions: [...model.actions.slice(-7), view]},
    effects: [{kind: 'run', id, action, pair}],
  }
}
