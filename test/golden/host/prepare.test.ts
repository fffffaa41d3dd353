import {readFileSync} from 'node:fs'
import * as assert from 'uvu/assert'
import {
  appArmorPlaceOf,
  defaultDirectories,
  wantedOn,
  type AppArmorPlace,
  type PrepareTemplates,
} from '../../../src/host/prepare/desired.js'
import {preparedHost} from '../../../src/host/prepare/index.js'
import {parseState, type Found, type HostState} from '../../../src/host/prepare/observe.js'
import {quoted, sshRunArgv} from '../../../src/host/prepare/place.js'
import {planPrepare} from '../../../src/host/prepare/plan.js'
import {assertGolden} from '../../support/golden.js'
import {suite} from '../../support/suite.js'

const test = suite('host prepare')

const template = (name: string): string => readFileSync(new URL(`../../../templates/${name}`, import.meta.url), 'utf8')
const templates: PrepareTemplates = {
  hook: template('libvirt/qemu-hook.sh'),
  agentUnit: template('systemd/colo-agent.service'),
  drainUnit: template('systemd/colo-drain.service'),
  logrotate: template('logrotate/colo'),
}
const wanted = (appArmor?: AppArmorPlace) => wantedOn(defaultDirectories, templates, appArmor)

const bare: HostState = {
  uid: 0,
  missing: new Set(['virsh', 'qemu-img', 'logrotate']),
  colo: true,
  apt: true,
  systemd: true,
  units: new Map(),
  paths: new Map(),
}

/** A host on which everything was done. */
function ready(appArmor?: AppArmorPlace): HostState {
  const {files, directories, units} = wanted(appArmor)
  const found = (kind: Found['kind'], mode: number, text = ''): Found => ({kind, mode, owner: 'root', text})
  return {
    ...bare,
    missing: new Set(),
    units: new Map(units.map((unit) => [unit, {enabled: 'enabled', active: 'active'}])),
    paths: new Map<string, Found>([
      ...files.map(({path, mode, text}) => [path, found('file', mode, text)] as const),
      ...directories.map(({path, mode}) => [path, found('directory', mode)] as const),
      ['/etc/libvirt/qemu.conf', found('file', 0o600)],
    ]),
  }
}

const idsOf = (state: HostState): string[] => planPrepare('alpha', wanted(), state).steps.map(({id}) => id)

test('a bare Debian with AppArmor: the exact commands', () => {
  const {steps} = preparedHost('alpha', planPrepare('alpha', wanted('directory'), bare))
  const text = steps.flatMap(({id, why, commands}) => [`# ${id}: ${why}`, ...commands]).join('\n')
  assertGolden(new URL('./prepare-bare.txt', import.meta.url), `${text}\n`)
})

test('a host on which all is there: nothing', () => {
  for (const appArmor of [undefined, 'directory', 'local'] as const) {
    assert.equal(planPrepare('alpha', wanted(appArmor), ready(appArmor)), {steps: [], left: []})
  }
})

test('only what differs: mode, owner, text, a unit that is off', () => {
  const differing = (path: string, change: Partial<Found>): HostState => {
    const state = ready()
    return {...state, paths: new Map([...state.paths, [path, {...state.paths.get(path)!, ...change}]])}
  }
  assert.equal(idsOf(differing('/var/lib/colo/pairs', {mode: 0o755})), ['directory /var/lib/colo/pairs'])
  assert.equal(idsOf(differing('/run/colo/scratch', {owner: 'libvirt-qemu'})), ['directory /run/colo/scratch'])
  assert.equal(idsOf(differing('/etc/logrotate.d/colo', {mode: 0o666})), ['file /etc/logrotate.d/colo'])
  const hook = '/etc/libvirt/hooks/qemu.d/colo'
  const older = templates.hook.replace('exit 0\n', 'exit 1\n')
  assert.equal(idsOf(differing(hook, {text: older})), [`file ${hook}`, 'libvirt'])
  const unit = '/etc/systemd/system/colo-agent.service'
  const oldUnit = templates.agentUnit.replace('Nice=-5', 'Nice=0')
  assert.equal(idsOf(differing(unit, {text: oldUnit})), [`file ${unit}`, 'units', 'unit colo-agent.service'])
  const state = ready()
  const off = new Map([...state.units, ['colo-drain.service', {enabled: 'disabled', active: 'inactive'}]])
  assert.equal(idsOf({...state, units: off}), ['unit colo-drain.service'])
})

test('a directory the inventory names stays as it is where it exists', () => {
  const at = {images: '/srv/vm', scratch: '/run/colo/scratch'}
  const found: Found = {kind: 'directory', mode: 0o750, owner: 'admin', text: ''}
  const ids = (paths: ReadonlyMap<string, Found>): string[] =>
    planPrepare('alpha', wantedOn(at, templates, undefined), {...bare, paths}).steps.map(({id}) => id)
  assert.not(ids(new Map([['/srv/vm', found]])).includes('directory /srv/vm'))
  assert.ok(ids(new Map()).includes('directory /srv/vm'))
})

test('a file that is not ours, or no directory where one must be, is refused before anything', () => {
  for (const [path, kind] of [
    ['/etc/libvirt/hooks/qemu.d/colo', 'file'],
    ['/etc/logrotate.d/colo', 'other'],
    ['/var/lib/colo', 'file'],
  ] as const) {
    const there: Found = {kind, mode: 0o755, owner: 'root', text: '#!/bin/sh\necho mine\n'}
    assert.throws(
      () => planPrepare('alpha', wanted(), {...bare, paths: new Map([[path, there]])}),
      (error: Error & {exit?: number}) => error.exit === 4 && error.message.includes(path),
    )
  }
})

test('what cannot be done is said, and not tried', () => {
  const plan = planPrepare('alpha', wanted(), {...bare, apt: false, systemd: false, colo: false})
  assert.not(plan.steps.some(({id}) => id === 'packages' || id.startsWith('unit')))
  assert.is(plan.left.length, 3)
  assert.match(
    plan.left.join('\n'),
    /no Debian.*libvirt-clients, libvirt-daemon-system.*colo is not on the PATH.*systemd/s,
  )
})

test('with NICs for kernel forwarding: what qemu.conf must say is told, the file itself is left alone', () => {
  const at = {...defaultDirectories, forward: ['fwd0']}
  const withConf = (text: string): HostState => {
    const state = ready()
    const conf: Found = {kind: 'file', mode: 0o600, owner: 'root', text}
    return {...state, paths: new Map([...state.paths, ['/etc/libvirt/qemu.conf', conf]])}
  }
  const commented = '#cgroup_device_acl = ["/dev/null", "/dev/net/tun"]\n'
  const {steps, left} = planPrepare('alpha', wantedOn(at, templates, undefined), withConf(commented))
  assert.equal([steps.length, left.length], [0, 1])
  assert.match(left[0] ?? '', /set cgroup_device_acl .*"\/dev\/net\/tun" added/)
  const allowed = withConf(commented.slice(1))
  assert.equal(planPrepare('alpha', wantedOn(at, templates, undefined), allowed).left, [])
  assert.equal(planPrepare('alpha', wanted(), withConf(commented)).left, [])
})

test("AppArmor's rules are found by how they ask for additions", () => {
  assert.is(appArmorPlaceOf('  include if exists <abstractions/libvirt-qemu.d>\n'), 'directory')
  assert.is(appArmorPlaceOf('  #include if exists <local/abstractions/libvirt-qemu>\n'), 'local')
  assert.is(appArmorPlaceOf('  /dev/net/tun rw,\n'), undefined)
  assert.is(appArmorPlaceOf(undefined), undefined)
})

test('every word reaches the other side as it is', () => {
  assert.is(quoted('it\'s $(x) `y` \n "z"'), `'it'\\''s $(x) \`y\` \n "z"'`)
  const argv = sshRunArgv({kind: 'ssh', address: 'beta', user: 'root', port: 2222}, ['install', '-d', '/a b'])
  assert.equal(argv.slice(-7), ['-p', '2222', '-l', 'root', '--', 'beta', "install -d '/a b'"])
})

test('what the look prints is read back; anything else is an error', () => {
  const text = Buffer.from('hello\n').toString('base64')
  const state = parseState(
    `uid\t0\nmissing\tvirsh\nhas\tsystemd\nunit\ta.service\tenabled\tinactive\npath\t/x\t600 root\tfile\t${text}\npath\t/d\t1777 root\tdirectory\t\n`,
  )
  assert.equal(state.paths.get('/x'), {kind: 'file', mode: 0o600, owner: 'root', text: 'hello\n'})
  assert.is(state.paths.get('/d')?.mode, 0o1777)
  assert.equal(state.units.get('a.service'), {enabled: 'enabled', active: 'inactive'})
  assert.ok(state.missing.has('virsh') && state.systemd && state.colo)
  assert.throws(() => parseState('Welcome to beta!\n'), /uid/)
})

test.run()
