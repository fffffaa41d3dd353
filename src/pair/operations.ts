import {reason} from './health/reasons.js'
import type {IntentSummary, MemberObservation} from './observation.js'
import type {PairState, Reason} from './status.js'

/** What the pair is while a plan of this kind runs. */
const statesWhile: Readonly<Record<string, PairState>> = {
  create: 'syncing',
  resync: 'resyncing',
  failover: 'failing-over',
  'test-failover': 'failing-over',
  replace: 'resyncing',
  start: 'starting',
  stop: 'stopping',
}

/** Somebody holds the lock and works on it. */
export function operationUnderWay(
  members: ReadonlyArray<MemberObservation | undefined>,
  primary: MemberObservation | undefined,
): {readonly state: PairState; readonly reasons: readonly Reason[]} | undefined {
  const busy = members.find((member) => member?.lock !== undefined && member.intent !== undefined)
  if (busy?.intent === undefined || busy.lock === undefined) return undefined
  const state = statesWhile[busy.intent.kind]
  if (state === undefined) return undefined
  const reasons = [reason('operation', `${busy.intent.title}, by ${busy.lock.owner}`, {host: busy.host})]
  return {state: state === 'resyncing' && primary === undefined ? 'starting' : state, reasons}
}

/** Intents that nobody works on: the command died in the middle. */
export function interruptions(members: ReadonlyArray<MemberObservation | undefined>): Reason[] {
  const left = members.flatMap((member) =>
    member?.intent !== undefined && member.lock === undefined ? [{host: member.host, intent: member.intent}] : [],
  )
  const plans = new Map<string, {host: string; intent: IntentSummary}>(left.map((each) => [each.intent.plan, each]))
  return [...plans.values()].map(({host, intent}) =>
    reason('interrupted', `interrupted: ${intent.title}`, {host, remedy: intent.finish}),
  )
}
