import type {VmAccess} from './action-context.js'
import type {Checkpoints} from './checkpoints.js'
import type {CommitFollower} from './commit-follower.js'
import type {Keeper} from './keeper.js'
import type {ProtectionGuard} from './protection-guard.js'
import type {StopFollower} from './stop-follower.js'

interface VmParts {
  readonly keeper: Keeper
  readonly checkpoints: Checkpoints
  readonly guard: ProtectionGuard
  readonly stop: StopFollower
  readonly commit: CommitFollower
  readonly release: () => Promise<void>
  /** aborted when the agent ends */
  readonly ending: AbortSignal
}

/** What the actions of a plan may do with a member's QEMU. */
export function vmAccess({keeper, checkpoints, guard, stop, commit, release, ending}: VmParts): VmAccess {
  return {
    qmp: () => keeper.qmp(ending),
    withYank: (body) => keeper.withYank(body),
    attach: (timeoutMs) => keeper.attach(timeoutMs, ending),
    release,
    checkpoints: () => checkpoints.count,
    awaitCheckpoint: (after, timeoutMs) => checkpoints.awaitMore(after, timeoutMs, ending),
    beginProtection: () => guard.begin(),
    endProtection: () => guard.end(),
    powerCut: () => {
      stop.cut()
    },
    stopped: (timeoutMs, signal) => stop.stopped(timeoutMs, AbortSignal.any([signal, ending])),
    peerStopped: (timeoutMs, signal) => stop.peerHow(timeoutMs, AbortSignal.any([signal, ending])),
    followCommit: () => commit.start(),
  }
}
