import * as assert from 'uvu/assert'
import {execIn} from '../../src/lab/index.js'
import {colo, coloOk, labReady} from '../support/lab.js'
import {suite} from '../support/suite.js'

const test = suite('host prepare')

interface Prepared {
  readonly changed: boolean
  readonly hosts: ReadonlyArray<{
    readonly host: string
    readonly steps: ReadonlyArray<{readonly id: string; readonly commands: readonly string[]}>
    readonly left: readonly string[]
  }>
}

const prepare = async (...args: readonly string[]): Promise<Prepared> =>
  (await coloOk('host', 'prepare', ...args)) as unknown as Prepared

test('another host over ssh: plan, change, nothing the second time; a foreign file is kept', async (t) => {
  await labReady()
  t.defer(() => sh('rm -rf /etc/logrotate.d/colo /etc/systemd/system/colo-* /etc/tmpfiles.d/colo.conf'))

  const plan = await prepare('gamma', '--dry-run')
  const wanted = plan.hosts[0]!.steps.map(({id}) => id)
  for (const file of [
    '/etc/systemd/system/colo-agent.service',
    '/etc/systemd/system/colo-drain.service',
    '/etc/logrotate.d/colo',
    '/etc/tmpfiles.d/colo.conf',
    '/etc/apparmor.d/abstractions/libvirt-qemu.d/colo',
  ]) {
    assert.ok(wanted.includes(`file ${file}`), wanted.join(', '))
    assert.match(await sh(`[ -e ${file} ] || echo none`), /none/)
  }
  assert.not.ok(wanted.includes('packages'), 'the lab has all packages')

  await sh('echo "my own" >/etc/logrotate.d/colo')
  const refused = await colo('host', 'prepare', 'gamma')
  assert.is(refused.exit, 4)
  assert.match(JSON.stringify(refused.json), /logrotate\.d\/colo is there already and is not colo's/)
  assert.match(await sh('cat /etc/logrotate.d/colo; ls /etc/systemd/system'), /^my own\n(?!.*colo-agent)/s)
  await sh('rm /etc/logrotate.d/colo')

  const done = await prepare('gamma')
  assert.equal(
    done.hosts[0]!.steps.map(({id}) => id),
    wanted,
    'what was planned was done',
  )
  assert.match(done.hosts[0]!.left.join('\n'), /systemd does not run here/)
  assert.is((await prepare('gamma')).changed, false)
  assert.is((await prepare('ssh://root@10.99.0.3')).changed, false)

  const modes = await sh(
    'stat -c "%n %a %U" /var/lib/colo/pairs /var/log/colo /run/colo/starts /etc/logrotate.d/colo /etc/libvirt/hooks/qemu.d/colo',
  )
  assert.is(
    modes,
    `/var/lib/colo/pairs 700 root
/var/log/colo 700 root
/run/colo/starts 700 root
/etc/logrotate.d/colo 644 root
/etc/libvirt/hooks/qemu.d/colo 755 root
`,
  )
  assert.match(await sh('logrotate -d /etc/logrotate.d/colo 2>&1'), /rotating pattern: \/var\/log\/colo\/\*\.log/)
  assert.match(await sh('ls /etc/systemd/system /etc/libvirt/hooks/qemu.d'), /^(?!.*colo-new)/s)

  // the host itself, without ssh and without a name
  assert.match(await sh('colo host prepare --json'), /"changed": false/)
  await sh('rm -r /run/colo/starts; chmod 755 /var/lib/colo/pairs')
  assert.match(await sh('colo host prepare'), /directory \/var\/lib\/colo\/pairs.*directory \/run\/colo\/starts/s)
  assert.is((await prepare('gamma')).changed, false)
}, 120_000)

test('a bare host: the plan names the packages that are missing; without a way to them it fails with their names, and changes nothing', async (t) => {
  await labReady()
  // dpkg's own list is shortened, as if they had never been installed
  const paths = ['/usr/bin/qemu-img', '/var/lib/dpkg/status'].join(' ')
  t.defer(() => sh(`for path in ${paths}; do [ ! -e $path.away ] || mv $path.away $path; done`))
  const without = `awk 'BEGIN {RS = ""; ORS = "\\n\\n"} !/^Package: qemu-utils\\n/' /var/lib/dpkg/status.away >/var/lib/dpkg/status`
  await sh(`for path in ${paths}; do [ ! -e $path ] || mv $path $path.away; done; ${without}`)

  const planned = (await prepare('gamma', '--dry-run')).hosts[0]!.steps[0]!
  assert.is(planned.id, 'packages')
  assert.match(planned.commands.join('\n'), /apt-get install .* qemu-utils/)

  const before = await sh('ls /etc/systemd/system')
  const {exit, json} = await colo('host', 'prepare', 'gamma')
  assert.is(exit, 1, JSON.stringify(json))
  const {message, hint} = (json as {error: {message: string; hint: string}}).error
  assert.match(message, /^gamma: cannot install qemu-utils: /)
  assert.match(hint, /apt-get install qemu-utils/)
  assert.is(await sh('ls /etc/systemd/system'), before)
}, 180_000)

async function sh(script: string): Promise<string> {
  const {stdout} = await execIn('gamma', ['sh', '-c', script])
  return stdout === '' ? '' : `${stdout}\n`
}

test.run()
