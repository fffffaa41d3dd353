import assert from 'node:assert/strict'
import {copyFaults, filesOfCopy, writtenSinceStop, type FileNow} from '../../../src/pair/copy-faults.js'
import type {PairRecord} from '../../../src/pair/record.js'
import {acceptWords, decideStart} from '../../../src/pair/start-rules.js'
import {recordOf, specOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'

const test = suite('files of a copy (S4)')
const [root, data] = ['root', 'data'].map((name) => `/var/lib/colo/images/web1-${name}.qcow2`) as [string, string]
const file = (change: Partial<NonNullable<FileNow>> = {}) => ({inode: '7', device: '1', sizeBytes: 1000, ...change})
const known = (change: Partial<PairRecord> = {}) =>
  recordOf('primary', {
    alone: true,
    images: [
      {disk: 'root', path: root, ...file()},
      {disk: 'data', path: data, ...file({inode: '8'})},
    ],
    ...change,
  })
const intact = new Map<string, FileNow>([
  [root, file()],
  [data, file({inode: '8'})],
])
const kinds = (record: PairRecord, now: ReadonlyMap<string, FileNow>) =>
  copyFaults(record, now).map(({kind, disk}) => `${kind} ${disk}`)

test('the recorded files are fine; qcow2 may have grown, and the device may have another number since a boot', () => {
  assert.deepEqual(kinds(known(), intact), [])
  assert.deepEqual(kinds(known(), new Map([...intact, [root, file({sizeBytes: 5000, device: '99'})]])), [])
})

test('missing, another inode, shortened, of another path, never noted', () => {
  assert.deepEqual(kinds(known(), new Map([...intact, [data, undefined]])), ['image-missing data'])
  assert.deepEqual(kinds(known(), new Map([...intact, [root, file({inode: '9'})]])), ['image-replaced root'])
  assert.deepEqual(kinds(known(), new Map([...intact, [root, file({sizeBytes: 999})]])), ['image-replaced root'])
  const moved = known({images: known().images.map((image) => ({...image, path: `/old${image.path}`}))})
  assert.deepEqual(kinds(moved, intact), ['image-replaced root', 'image-replaced data'])
  assert.deepEqual(kinds(known({images: []}), intact), ['image-unrecorded root', 'image-unrecorded data'])
})

test('a raw image keeps its size', () => {
  const spec = specOf()
  const raw = known({spec: {...spec, disks: spec.disks.map((disk) => ({...disk, format: 'raw' as const}))}})
  assert.deepEqual(kinds(raw, intact), [])
  assert.deepEqual(kinds(raw, new Map([...intact, [root, file({sizeBytes: 1001})]])), ['image-replaced root'])
})

test('after a clean stop nothing may have written to it; while it is in use the time says nothing', () => {
  const images = known().images.map((each) => ({...each, modifiedNs: '100'}))
  const at = (modifiedNs: string) => new Map([...intact].map(([path, now]) => [path, {...now!, modifiedNs}] as const))
  assert.deepEqual(kinds(known({images, clean: true}), at('100')), [])
  assert.deepEqual(kinds(known({images, clean: true}), at('101')), ['image-replaced root', 'image-replaced data'])
  assert.deepEqual(kinds(known({images}), at('101')), [])
})

test('overlays count only while something of them is not merged, disk by disk', () => {
  const merging = known({marks: {incomplete: {why: 'commit', detail: 'merging', disks: ['data']}}})
  assert.deepEqual(
    filesOfCopy(merging).filter((path) => path.startsWith('/run')),
    ['active', 'hidden'].map((kind) => `/run/colo/scratch/web1-data.${kind}.qcow2`),
  )
  assert.deepEqual(kinds(merging, intact), ['overlays-lost data', 'overlays-lost data'])
  assert.deepEqual(kinds(known(), intact), [])
})

test('none of it starts without its own word; a file that is gone starts with no word at all', () => {
  const record = known()
  const decide = (now: ReadonlyMap<string, FileNow>, ...force: string[]) => {
    const faults = new Map([['alpha', copyFaults(record, now)]])
    const decision = decideStart({pair: 'web1', records: [record], silent: ['beta'], faults, force})
    return 'refuse' in decision ? decision.refuse : decision.accepted.map(({kind}) => kind).join()
  }
  const replaced = new Map([...intact, [root, file({inode: '9'})]])
  assert.match(decide(replaced), /image \S*root.qcow2 of disk root on alpha is another file \(inode 9, recorded 7\)/)
  assert.match(decide(replaced, acceptWords.overlays), /is another file/)
  assert.equal(decide(replaced, acceptWords.image), 'image-replaced')
  const missing = new Map([...intact, [root, undefined]])
  assert.match(decide(missing, ...Object.values(acceptWords)), /does not exist/)
})

test('a copy is at rest only while no image was written to since its clean stop', () => {
  const rested = (change: object = {}) =>
    known({images: known().images.map((image) => ({...image, modifiedNs: '5', ...change}))})
  const now = new Map([...intact].map(([path, found]) => [path, found && {...found, modifiedNs: '5'}]))
  assert.equal(writtenSinceStop(rested(), now), undefined)
  assert.equal(writtenSinceStop(rested(), new Map([...now, [data, file({inode: '8', modifiedNs: '6'})]])), data)
  assert.equal(writtenSinceStop(rested(), new Map([...now, [root, file({inode: '9', modifiedNs: '5'})]])), root)
  assert.equal(writtenSinceStop(rested(), new Map([...now, [root, undefined]])), root)
  assert.equal(writtenSinceStop(known(), now), root, 'a record that does not say when')
})

test.run()
