import assert from 'node:assert/strict'
import {fileURLToPath} from 'node:url'
import {run} from '../../../src/os/process.js'
import {suite} from '../../support/suite.js'

const test = suite('ci scripts')
const root = fileURLToPath(new URL('../../..', import.meta.url))
const env = {COLO_TEST_SHARES: 'none', COLO_KEEP_LAB: '1', COLO_SHARES_FILE: ''}

test('the last line of .ci/test and .ci/run counts what ran, alone on its line', async () => {
  for (const script of ['.ci/test', '.ci/run']) {
    const {stdout} = await run(['bash', script], {cwd: root, env, timeoutMs: 60_000})
    assert.equal(stdout.trimEnd().split('\n').at(-1), '1 passed, 0 failed', script)
  }
}, 130_000)

test('a run over its limit fails, says so, and leaves nothing running', async () => {
  const slow = {...env, COLO_TEST_SHARES: 'fast', COLO_CI_LIMIT_S: '1'}
  const {stdout} = await run(['bash', '-c', 'bash .ci/run; test $? -ne 0'], {cwd: root, env: slow, timeoutMs: 60_000})
  const lines = stdout.trimEnd().split('\n')
  assert.match(lines.at(-1) ?? '', /^\d+ passed, [1-9]\d* failed$/)
  assert.match(stdout, /more than 1 s/)
}, 70_000)

test.run()
