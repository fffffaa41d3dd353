import {dirname} from 'node:path'
import type {Files} from '../os/files.js'
import {imagePath, layoutOfPair, overlaysOf} from '../pair/identity.js'
import type {RoomObservation} from '../pair/observation.js'
import type {PairRecord} from '../pair/record.js'
import {armDeadline} from '../qmp/deadline.js'

const LIMIT_MS = 500

/** Questions that have no answer yet: a file system that hangs is asked once, not at every look. */
const open = new Map<string, Promise<number | undefined>>()

/** What is left on the file systems that a secondary writes to; a directory that does not answer is not told. */
export async function roomOf(record: PairRecord, files: Files): Promise<RoomObservation[]> {
  const places = layoutOfPair(record).disks.flatMap((disk): Array<Omit<RoomObservation, 'availableBytes'>> => {
    const images = {what: 'images', path: dirname(imagePath(disk, record.host))} as const
    if (disk.spec.scratch === undefined) return [images]
    return [{what: 'scratch', path: dirname(overlaysOf(record, disk, record.host).active)}, images]
  })
  const distinct = new Map(places.map((place) => [`${place.what} ${place.path}`, place]))
  const rooms = await Promise.all(
    [...distinct.values()].map(async (place) => ({...place, availableBytes: await ask(place.path, files)})),
  )
  return rooms.flatMap(({availableBytes, ...place}) =>
    availableBytes === undefined ? [] : [{...place, availableBytes}],
  )
}

function ask(path: string, files: Files): Promise<number | undefined> {
  let answer = open.get(path)
  if (answer === undefined) {
    answer = files.availableBytes(path).catch(() => undefined)
    open.set(path, answer)
    void answer.then(() => open.delete(path))
  }
  return limited(answer)
}

function limited(answer: Promise<number | undefined>): Promise<number | undefined> {
  return new Promise((resolve) => {
    const disarm = armDeadline({timeoutMs: LIMIT_MS}, () => {
      resolve(undefined)
    })
    void answer.then(resolve).finally(disarm)
  })
}
