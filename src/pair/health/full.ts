import type {MemberObservation} from '../observation.js'
import type {Reason} from '../status.js'
import {reason} from './reasons.js'

/** What the kernel says, in QEMU's events on both sides: NBD hands it on. */
const noRoom = /No space left on device/
/** a write of the primary that did not arrive: on an NBD client, not on an image of its own */
const onPeer = /on nbd\d+: /

/**
 * A file system of the secondary's host that was full when something had to be written. Its own guest writes into scratch alone; the
 * primary's writes need room in scratch, for what they replace, and in the image.
 */
export function fullFaults(pair: string, primary: MemberObservation, secondary: MemberObservation): Reason[] {
  const {host} = secondary
  const remedy = `colo pair resync ${pair}`
  const options = {host, remedy, repairable: true}
  if (secondary.latched.some(({detail}) => noRoom.test(detail))) {
    const where = `scratch full: no room for the overlays of ${pair} on ${host}`
    return [reason('scratch-full', `${where}; make room there (df), then protect it again`, options)]
  }
  if (primary.latched.some(({detail}) => noRoom.test(detail) && onPeer.test(detail))) {
    const where = `disk full: no room on ${host} for what the guest wrote, in its images or in scratch`
    return [reason('disk-full', `${where}; make room there (df), then protect it again`, options)]
  }
  return []
}
