import type {Files} from '../../os/files.js'
import type {Run} from '../../os/process.js'
import type {CheckpointObservation, MemberObservation, XenObservation, XenStreamEnd} from '../../pair/observation.js'
import {xenLayoutAt, type XenLayout} from '../../xen/layout.js'
import {readRemusEnd} from '../../xen/read.js'
import {ownDomain, readRelay, remusProcess, type RelaySeen} from './state.js'

/** An observation does not wait longer for xl, in milliseconds, unless whoever asks has more time; then it keeps this back for the answer. */
const XL_MS = 3500
const RESERVE_MS = 1000

/** What this host has of a Xen pair, now. An xl that does not answer is a fact, not an error. */
export async function observeXen(
  deps: {readonly run: Run; readonly files: Files},
  {
    pair,
    runDir,
    withinMs = 0,
  }: {readonly pair: string; readonly runDir: string; readonly withinMs?: number | undefined},
): Promise<Pick<MemberObservation, 'domain' | 'checkpoints'> & {readonly xen: XenObservation}> {
  const layout = xenLayoutAt(pair, runDir)
  const timeoutMs = Math.max(XL_MS, withinMs - RESERVE_MS)
  const limited: Run = (argv, options) => deps.run(argv, {...options, timeoutMs})
  const [own, sender, receiver] = await Promise.all([
    ownDomain({...deps, run: limited}, layout).then(
      (domain) => ({domain}),
      (error: unknown) => ({domain: undefined, problem: (error as Error).message.split('\n')[0] ?? ''}),
    ),
    senderOf(deps.files, layout),
    readRelay(deps.files, layout.receiverState),
  ])
  const {domain} = own
  return {
    domain: domain === undefined ? 'absent' : wordOf(domain.state),
    checkpoints: checkpointsOf(receiver),
    xen: {
      ...('problem' in own ? {problem: own.problem} : {}),
      domain: domain === undefined ? undefined : {domid: domain.domid, name: domain.name, state: domain.state},
      sender,
      receiver: receiver === undefined ? undefined : endOf(receiver),
    },
  }
}

/** Suspended for a checkpoint is a moment in the life of a domain that runs. */
function wordOf(state: string): MemberObservation['domain'] {
  if (state === 'running' || state === 'suspended') return 'running'
  return state === 'paused' ? 'paused' : 'other'
}

/** xl and the relay that it started; xl gone is the end, whatever the relay says. */
async function senderOf(files: Files, layout: XenLayout): Promise<XenStreamEnd | undefined> {
  const remus = await remusProcess(files, layout)
  if (remus === undefined) return undefined
  const relay = await readRelay(files, layout.senderState)
  if (remus.alive) return relay === undefined ? {phase: 'starting'} : endOf(relay)
  return {phase: 'ended', reason: readRemusEnd((await files.readText(layout.remusLog)) ?? '').reason}
}

function endOf({phase, alive, reason}: RelaySeen): XenStreamEnd {
  const why = reason === undefined ? {} : {reason}
  switch (phase) {
    case 'connecting':
    case 'listening':
      return {phase: alive ? 'starting' : 'lost', ...why}
    case 'streaming':
    case 'held':
      return alive ? {phase, ...why} : {phase: 'lost', reason: 'the relay died'}
    case 'granted':
    case 'released':
    case 'ended':
    case 'failed':
      return {phase: 'ended', ...why}
  }
}

function checkpointsOf(receiver: RelaySeen | undefined): CheckpointObservation {
  return {
    count: receiver?.checkpoints ?? 0,
    lastAtMs: receiver?.lastCheckpointMs,
    lastPauseMs: undefined,
    openForMs: undefined,
  }
}
