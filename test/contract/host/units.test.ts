import {cpSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import * as assert from 'uvu/assert'
import {run} from '../../../src/os/process.js'
import {suite} from '../../support/suite.js'
import {temporaryDirectory} from '../../support/temporary-directory.js'

const test = suite('systemd units')

const units = ['colo-agent.service', 'colo-drain.service'] as const
const templates = fileURLToPath(new URL('../../../templates/systemd', import.meta.url))
const textOf = (unit: string): string => readFileSync(join(templates, unit), 'utf8')

test('systemd has nothing to say about them', async (t) => {
  const directory = temporaryDirectory(t, 'units')
  for (const unit of units) cpSync(join(templates, unit), join(directory, unit))
  const files = units.map((unit) => join(directory, unit))
  const {stdout, stderr} = await run(['systemd-analyze', 'verify', '--man=no', ...files])
  const about = `${stdout}\n${stderr}`.split('\n').filter((line) => line.includes('colo-'))
  assert.equal(about, [])
})

/** What comes after something at boot goes before it at shutdown. */
test('at shutdown: first the drain, then the guests, then the agent', () => {
  const after = (unit: string): string => /^After=(.*)$/m.exec(textOf(unit))?.[1] ?? ''
  for (const earlier of ['libvirt-guests.service', 'colo-agent.service', 'libvirtd.service', 'virtqemud.service'])
    assert.ok(after('colo-drain.service').split(' ').includes(earlier), earlier)
  for (const network of ['network-online.target', 'ssh.service', 'sshd.service'])
    assert.ok(after('colo-drain.service').split(' ').includes(network), network)
  assert.match(textOf('colo-agent.service'), /^Before=libvirt-guests\.service$/m)
  assert.match(textOf('colo-drain.service'), /^ExecStop=\/usr\/bin\/env colo host drain --yes --stop --timeout 90s$/m)
})

test.run()
