import {unreachable} from '../../errors.js'
import type {Action} from '../../plan/action.js'
import type {ActionContext, ActionOutcome} from '../action-context.js'
import {settleGuest} from './tcg.js'
import * as block from './block.js'
import * as colo from './colo.js'
import * as domain from './domain.js'
import * as forwarding from './forward.js'
import * as probe from './forward-probe.js'
import * as host from './host.js'
import * as images from './images.js'
import * as migration from './migrate.js'
import * as mirrors from './mirrors.js'
import * as network from './network.js'
import * as nft from './nft.js'
import * as plain from './plain-domain.js'
import * as records from './records.js'
import * as stop from './stop.js'
import * as vm from './vm.js'
import * as xen from '../xen/domain.js'
import * as protection from '../xen/protect.js'

/**
 * Performs one action of a plan on this host.
 *
 * Safe to run again after any interruption: what is there already is left as it is.
 *
 * @throws {ColoError} that names what failed on what, with the text of QEMU or of the tool; every wait has a limit
 */
export function performAction(action: Action, context: ActionContext): Promise<ActionOutcome> {
  switch (action.kind) {
    case 'directory':
      return host.makeDirectory(action, context)
    case 'directory-remove':
      return host.removeDirectory(action, context)
    case 'file-remove':
      return host.removeFile(action, context)
    case 'image-create':
      return images.createImage(action, context)
    case 'image-own':
      return host.ownImage(action, context)
    case 'overlays-merge':
      return images.mergeOverlays(action, context)
    case 'domain-create':
      return domain.createDomain(action, context)
    case 'domain-destroy':
      return domain.destroyDomain(action, context)
    case 'lifecycle':
      return domain.setLifecycle(action, context)
    case 'power-button':
      return stop.pressPowerButton(action, context)
    case 'power-off':
      return stop.powerOff(action, context)
    case 'stop-follow':
      return stop.followStop(action, context)
    case 'domain-shutdown':
      return plain.shutdownDomain(action, context)
    case 'domain-start':
      return plain.startDomain(action, context)
    case 'domain-undefine':
      return plain.undefineDomain(action, context)
    case 'domain-define':
      return plain.defineDomain(action, context)
    case 'vm-continue':
      return vm.continueGuest(action, context)
    case 'vm-await':
      return vm.awaitVm(action, context)
    case 'nbd-server':
      return block.nbdServer(action, context)
    case 'export':
      return block.exportNode(action, context)
    case 'nbd-node':
      return block.nbdNode(action, context)
    case 'quorum-child-add':
      return block.addQuorumChild(action, context)
    case 'quorum-child-remove':
      return block.removeQuorumChild(action, context)
    case 'mirrors':
      return mirrors.startMirrors(action, context)
    case 'mirrors-finish':
      return mirrors.finishMirrors(action, context)
    case 'mirrors-abort':
      return mirrors.abortMirrors(action, context)
    case 'commit-follow':
      return records.followCommit(action, context)
    case 'chardev':
      return network.chardev(action, context)
    case 'tcg-settle':
      return settleGuest(action, context)
    case 'chardev-await':
      return network.awaitChardevs(action, context)
    case 'object':
      return network.object(action, context)
    case 'object-set':
      return network.setObject(action, context)
    case 'tap':
      return network.tap(action, context)
    case 'tap-filter':
      return nft.tapFilter(action, context)
    case 'firewall':
      return nft.firewall(action, context)
    case 'forward':
      return forwarding.forward(action, context)
    case 'forward-release':
      return forwarding.releaseForward(action, context)
    case 'forward-send':
      return probe.sendFrames(action, context)
    case 'forward-listen':
      return probe.listenForFrames(action, context)
    case 'forward-heard':
      return probe.heardFrames(action, context)
    case 'forward-proven':
      return probe.provenLinks(action, context)
    case 'netdev':
      return forwarding.netdev(action, context)
    case 'announce':
      return network.announce(action, context)
    case 'colo-capabilities':
      return colo.setColoCapabilities(action, context)
    case 'incoming':
      return colo.incoming(action, context)
    case 'migrate':
      return migration.migrateIntoColo(action, context)
    case 'migrate-cancel':
      return migration.cancelMigration(action, context)
    case 'colo-await':
      return colo.awaitColo(action, context)
    case 'checkpoint':
      return colo.checkpoint(action, context)
    case 'checkpoint-await':
      return colo.awaitCheckpoint(action, context)
    case 'yank':
      return colo.yankConnections(action, context)
    case 'lost-heartbeat':
      return colo.loseHeartbeat(action, context)
    case 'record-create':
      return records.createRecord(action, context)
    case 'record-change':
      return records.changeRecord(action, context)
    case 'record-images':
      return records.recordImages(action, context)
    case 'images-verify':
      return records.verifyImages(action, context)
    case 'images-at-rest':
      return records.verifyRest(action, context)
    case 'protection-begin':
      return records.beginProtection(action, context)
    case 'record-remove':
      return records.removeRecord(action, context)
    case 'xen-domain':
      return xen.xenDomain(action, context)
    case 'xen-run':
      return xen.xenRun(action, context)
    case 'xen-fence':
      return xen.xenFence(action, context)
    case 'xen-booted':
      return xen.xenBooted(action, context)
    case 'xen-shutdown':
      return xen.xenShutdown(action, context)
    case 'xen-receive':
      return protection.xenReceive(action, context)
    case 'xen-protect':
      return protection.xenProtect(action, context)
    case 'xen-checkpoint':
      return protection.xenCheckpoint(action, context)
    case 'xen-takeover':
      return protection.xenTakeover(action, context)
    case 'xen-name':
      return protection.xenName(action, context)
    default:
      return unreachable(action)
  }
}
