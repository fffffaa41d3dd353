import type {OperationContext} from '../operation/context.js'
import type {ActionKind} from '../ui/tui/model.js'

const failoverMs = 120_000
const resyncMs = 30 * 60_000
const checkpointMs = 60_000

/** Runs one action of `colo top`: the same operations as the commands. @returns what became of the pair, in a line */
export async function runTopAction(context: OperationContext, action: ActionKind, pair: string): Promise<string> {
  const result = await operationOf(context, action, pair)
  const state = result.status === undefined ? '' : `${pair} is ${result.status.state}`
  return result.changed ? state : `nothing to do; ${state}`
}

async function operationOf(context: OperationContext, action: ActionKind, pair: string) {
  switch (action) {
    case 'failover': {
      const {failoverPair} = await import('../operation/failover.js')
      return failoverPair(context, pair, {dryRun: false, force: [], timeoutMs: failoverMs, resync: true})
    }
    case 'checkpoint': {
      const {checkpointPair} = await import('../operation/checkpoint.js')
      return checkpointPair(context, pair, {timeoutMs: checkpointMs})
    }
    case 'test-failover': {
      const {testFailover} = await import('../operation/test-failover.js')
      const probe = (): Promise<void> => Promise.resolve()
      return testFailover(context, pair, {dryRun: false, timeoutMs: failoverMs, probes: [], probe, resync: true})
    }
    case 'suspend': {
      const {suspendPair} = await import('../operation/suspend.js')
      return suspendPair(context, pair, {dryRun: false, timeoutMs: failoverMs})
    }
    case 'resume': {
      const {resyncPair} = await import('../operation/resync.js')
      return resyncPair(context, pair, {dryRun: false, force: [], timeoutMs: resyncMs, resume: true})
    }
    case 'resync': {
      const {resyncPair} = await import('../operation/resync.js')
      return resyncPair(context, pair, {dryRun: false, force: [], timeoutMs: resyncMs})
    }
  }
}
