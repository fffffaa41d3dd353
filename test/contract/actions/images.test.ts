import assert from 'node:assert/strict'
import {statSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {performAction} from '../../../src/agent/actions/index.js'
import {parseInfo} from '../../../src/block/qemu-img.js'
import {ConflictError} from '../../../src/errors.js'
import type {Run} from '../../../src/os/process.js'
import type {Action} from '../../../src/plan/action.js'
import {suite} from '../../support/suite.js'
import {temporaryDirectory} from '../../support/temporary-directory.js'
import {builds, contextOf, runWith, startQemu} from './tools.js'

const size = 8 * 1024 ** 2
const format = {disk: 'qcow2', raw: 'raw'} as const

for (const build of builds) {
  const test = suite(`contract: images with ${build.name}`)
  const run = runWith(build)

  for (const diskFormat of Object.values(format)) {
    test(`active over hidden over a ${diskFormat} disk is merged, also a second time`, async (t) => {
      const directory = temporaryDirectory(t, 'actions')
      const context = await contextOf(t, build)
      const [active, hidden, disk] = ['a,"b".active.qcow2', 'x.hidden.qcow2', 'disk'].map((name) =>
        join(directory, name),
      )
      assert.ok(active !== undefined && hidden !== undefined && disk !== undefined)
      for (const [path, kind] of [
        [active, 'qcow2'],
        [hidden, 'qcow2'],
        [disk, diskFormat],
      ] as const) {
        await run(['qemu-img', 'create', '-q', '-f', kind, path, String(size)])
      }
      await io(run, disk, diskFormat, ['write -P 1 0 4M'])
      await io(run, hidden, 'qcow2', ['write -P 2 1M 1M'])
      await io(run, active, 'qcow2', ['write -P 3 1536k 64k', 'write -P 3 2M 1M', 'write -z 3M 64k'])
      for (let times = 0; times < 2; times++) {
        const action: Action = {kind: 'overlays-merge', active, hidden, disk, format: diskFormat}
        assert.equal(await performAction(action, context), 'changed')
        await io(run, disk, diskFormat, [
          'read -P 1 0 1M',
          'read -P 2 1M 512k',
          'read -P 3 1536k 64k',
          'read -P 2 1600k 448k',
          'read -P 3 2M 1M',
          'read -P 0 3M 64k',
          'read -P 1 3136k 960k',
        ])
      }
      const info = parseInfo((await run(['qemu-img', 'info', '--output=json', active])).stdout)
      assert.equal(info.backingFile, undefined)
    }, 60_000)
  }

  test('a merge that was cut off between its two commits is finished by the next', async (t) => {
    const directory = temporaryDirectory(t, 'actions')
    const context = await contextOf(t, build)
    const [active = '', hidden = '', disk = ''] = ['a.active.qcow2', 'a.hidden.qcow2', 'd'].map((name) =>
      join(directory, name),
    )
    for (const path of [active, hidden, disk])
      await run(['qemu-img', 'create', '-q', '-f', 'qcow2', path, String(size)])
    await io(run, hidden, 'qcow2', ['write -P 2 0 1M'])
    await io(run, active, 'qcow2', ['write -P 3 64k 64k'])
    let commits = 0
    const stopping: Run = (argv, options) => {
      if (argv[1] === 'commit' && ++commits === 2) return Promise.reject(new Error('cut off'))
      return run(argv, options)
    }
    const action = {kind: 'overlays-merge', active, hidden, disk, format: 'qcow2'} as const
    await assert.rejects(() => performAction(action, {...context, run: stopping}), /cut off/)
    await performAction(action, context)
    await io(run, disk, 'qcow2', ['read -P 2 0 64k', 'read -P 3 64k 64k', 'read -P 2 128k 896k'])
  }, 60_000)

  test('an image is made 0600, kept when it fits, refused when it does not', async (t) => {
    const path = join(temporaryDirectory(t, 'actions'), 'root.qcow2')
    const context = await contextOf(t, build)
    const action = {kind: 'image-create', path, format: 'qcow2', sizeBytes: size, existing: 'keep'} as const
    assert.equal(await performAction(action, context), 'changed')
    assert.equal(statSync(path).mode & 0o777, 0o600)
    await io(run, path, 'qcow2', ['write -P 7 0 64k'])
    assert.equal(await performAction(action, context), 'unchanged')
    await assert.rejects(() => performAction({...action, sizeBytes: 2 * size}, context), ConflictError)
    await assert.rejects(() => performAction({...action, format: 'raw'}, context), ConflictError)
    await io(run, path, 'qcow2', ['read -P 7 0 64k'])
  }, 30_000)

  test('an overlay is emptied, unless a running QEMU has it open', async (t) => {
    const path = join(temporaryDirectory(t, 'actions'), 'root.active.qcow2')
    writeFileSync(path, 'not an image')
    const context = await contextOf(t, build)
    const action = {kind: 'image-create', path, format: 'qcow2', sizeBytes: size, existing: 'replace'} as const
    assert.equal(await performAction(action, context), 'changed')
    const {ino} = statSync(path)
    await startQemu(t, build, ['-blockdev', `driver=qcow2,node-name=n,file.driver=file,file.filename=${path}`])
    assert.equal(await performAction(action, context), 'unchanged')
    assert.equal(statSync(path).ino, ino)
  }, 30_000)

  test.run()
}

async function io(run: Run, path: string, driver: string, commands: readonly string[]): Promise<void> {
  const {stdout} = await run(['qemu-io', '-f', driver, ...commands.flatMap((command) => ['-c', command]), path])
  assert.ok(!/verification failed|error/i.test(stdout), stdout)
}
