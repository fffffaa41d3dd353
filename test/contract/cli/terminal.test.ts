import assert from 'node:assert/strict'
import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {suite, type T} from '../../support/suite.js'
import {temporaryDirectory} from '../../support/temporary-directory.js'
import {openTmux, type Tmux} from '../../support/tmux.js'

const test = suite('colo top in a real terminal')
const limitMs = 60_000

/** `colo top` of one host that nobody can reach, on its screen. */
async function open(t: T, env: Readonly<Record<string, string>> = {}): Promise<Tmux> {
  const inventory = join(temporaryDirectory(t, 'terminal'), 'hosts.yaml')
  const nobody = '{connection: "ssh://root@127.0.0.1:1", replication: 192.0.2.1}'
  writeFileSync(inventory, `apiVersion: colo/v1\nkind: Hosts\nhosts:\n  alpha: ${nobody}\n`)
  const top = await openTmux(t, ['top', '--hosts'], {env: {...env, COLO_HOSTS: inventory}})
  await top.shows(/colo top .*[^]*alpha/, 20_000)
  assert.deepEqual((await top.state()).alternate, true)
  return top
}

async function isGivenBack(top: Tmux, ended: RegExp): Promise<void> {
  await top.shows(ended, 20_000)
  await top.shows(/^modes as before$/m)
  assert.deepEqual(await top.state(), {alternate: false, cursor: true})
}

test(
  'resized it draws anew; ended by SIGTERM it gives the terminal back',
  async (t) => {
    const top = await open(t)
    await top.resize({columns: 80, rows: 24})
    await top.shows((screen) => screen.split('\n').every((line) => line.length <= 80) && /q quit/.test(screen))
    await top.resize({columns: 200, rows: 60})
    await top.shows((screen) => screen.split('\n').length > 50 && /q quit/.test(screen))
    await top.signal('SIGTERM')
    await isGivenBack(top, /^ended 130$/m)
  },
  limitMs,
)

test(
  'Ctrl-C gives the terminal back',
  async (t) => {
    const top = await open(t)
    await top.press('C-c')
    await isGivenBack(top, /^ended (0|130)$/m)
  },
  limitMs,
)

test(
  'a crash gives the terminal back, and says why',
  async (t) => {
    const crash = "process.on('SIGUSR2',()=>{throw(new(Error)('shot'))})"
    const top = await open(t, {NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(crash)}`})
    await top.signal('SIGUSR2')
    await isGivenBack(top, /^ended [1-9]\d*$/m)
    assert.match(await top.screen(), /shot/)
  },
  limitMs,
)

test.run()
