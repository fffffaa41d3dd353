import assert from 'node:assert/strict'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {sourceConfig} from '../../../.ci/source-config.js'
import {bashCompletion} from '../../../src/cli/completion/bash.js'
import {fishCompletion} from '../../../src/cli/completion/fish.js'
import {zshCompletion} from '../../../src/cli/completion/zsh.js'
import {surfaceOf} from '../../../src/cli/surface.js'
import {run} from '../../../src/os/process.js'
import {suite, type T} from '../../support/suite.js'

const test = suite('completion')
const surfaces = async () => surfaceOf(await sourceConfig())

test('bash: commands, flags, values and pairs, as bash itself sees it', async (t) => {
  const complete = await bashWith(bashCompletion(await surfaces()), t)
  assert.deepEqual(await complete('colo', 'pa'), ['pair'])
  assert.deepEqual(await complete('colo', 'pair', 'st'), ['start', 'stats', 'status', 'stop'])
  assert.deepEqual(await complete('colo', 'pair', 'wait', 'web1', '--for', 'un'), ['unprotected'])
  assert.deepEqual(await complete('colo', 'pair', 'failover', '--t'), ['--timeout', '--to'])
  assert.deepEqual(await complete('colo', 'pair', 'failover', '--no-r'), ['--no-resync'])
  assert.deepEqual(await complete('colo', 'pair', 'status', ''), ['web1', 'web2'])
  assert.deepEqual(await complete('colo', 'net', 'show', ''), ['web1', 'web2'])
  assert.deepEqual(await complete('colo', 'completion', ''), ['bash', 'fish', 'zsh'])
  assert.deepEqual(await complete('colo', 'nonsense', ''), [
    'agent',
    'completion',
    'disk',
    'host',
    'lab',
    'net',
    'pair',
    'top',
    'xen',
  ])
})

test('every shell knows every command and every flag', async () => {
  const found = await surfaces()
  for (const script of [bashCompletion(found), zshCompletion(found), fishCompletion(found)]) {
    for (const {command, flags} of found) {
      assert.ok(script.includes(command.split(' ').at(-1) ?? ''), command)
      for (const {name} of flags) assert.ok(script.includes(`--${name}`) || script.includes(`-l ${name} `), name)
    }
    assert.ok(!script.includes('undefined'))
  }
})

test('zsh keeps its own variable path', async () => {
  assert.doesNotMatch(zshCompletion(await surfaces()), /\bpath=/)
})

type Complete = (...words: string[]) => Promise<string[]>

/** Sources the script in a real bash, with a `colo` that knows two pairs. */
async function bashWith(script: string, t: T): Promise<Complete> {
  const directory = await mkdtemp(join(tmpdir(), 'colo-completion-'))
  t.defer(() => rm(directory, {recursive: true}))
  const file = join(directory, 'colo.bash')
  const body = [
    'colo() { printf "web1\\nweb2\\n"; }',
    script,
    'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _colo; printf "%s\\n" "${COMPREPLY[@]}"',
  ]
  await writeFile(file, body.join('\n'))
  return async (...words) => {
    const {stdout} = await run(['bash', file, ...words])
    return stdout
      .split('\n')
      .filter((word) => word !== '')
      .sort()
  }
}

test.run()
