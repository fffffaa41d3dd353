import type {MemberObservation, RoomObservation} from '../observation.js'
import type {Reason} from '../status.js'
import {reason} from './reasons.js'

/** What the kernel says, in QEMU's events on both sides: NBD hands it on. */
const noRoom = /No space left on device/
/** a write of the primary that did not arrive: on an NBD client, not on an image of its own */
const onPeer = /on nbd\d+: /
/** Less than a few requests of a guest, or clusters of an image, take. */
const FULL_BYTES = 4 * 1024 ** 2

/**
 * A file system of the secondary's host that was full when something had to be written. That an event says; which one it was, the file
 * systems themselves: the secondary's own guest writes into scratch alone, but a write of the primary needs room in scratch, for what it
 * replaces, and in the image, and the primary is told only that it failed.
 */
export function fullFaults(pair: string, primary: MemberObservation, secondary: MemberObservation): Reason[] {
  const own = secondary.latched.some(({detail}) => noRoom.test(detail))
  const sent = primary.latched.some(({detail}) => noRoom.test(detail) && onPeer.test(detail))
  if (!own && !sent) return []
  const {host, room} = secondary
  const options = {host, remedy: `colo pair resync ${pair}`, repairable: true}
  const full = (what: RoomObservation['what']): RoomObservation[] =>
    (room ?? []).filter((place) => place.what === what && place.availableBytes < FULL_BYTES)
  const [scratch, images] = [full('scratch'), full('images')]
  const reasons: Reason[] = []
  if (own || scratch.length > 0) {
    const where = `scratch full: no room for the overlays of ${pair} on ${host}${placesOf(scratch)}`
    reasons.push(reason('scratch-full', `${where}; ${wayOut(scratch, room)}`, options))
  }
  if (sent && images.length > 0) {
    const where = `disk full: no room on ${host} for what the guest wrote${placesOf(images)}`
    reasons.push(reason('disk-full', `${where}; ${wayOut(images, room)}`, options))
  }
  if (reasons.length > 0) return reasons
  const where = `disk full: no room on ${host} for what the guest wrote, in its images or in scratch`
  return [reason('disk-full', `${where}; ${wayOut([], room)}`, options)]
}

function placesOf(full: readonly RoomObservation[]): string {
  return full.length === 0 ? '' : ` (${full.map(({path}) => path).join(', ')})`
}

function wayOut(full: readonly RoomObservation[], room: readonly RoomObservation[] | undefined): string {
  const again = full.length === 0 && room !== undefined && room.length > 0
  return again ? 'there is room again now: protect it again' : 'make room there (df), then protect it again'
}
