import * as assert from 'uvu/assert'
import {readFileSync} from 'node:fs'

import {buildXenConfig} from '../../../src/xen/config.js'
import {quoteCfg, parseXlCfg} from '../../../src/xen/cfg-text.js'
import {proxyKeys} from '../../../src/xen/names.js'
import {countCheckpoints, hasTakenOver, parseXlInfo, parseXlList, readRemusEnd} from '../../../src/xen/read.js'
import {receiverArgv, remusArgv, remusOptionsOf} from '../../../src/xen/remus.js'
import {coloPair, configOf, remusPair, xenIdentity} from '../../support/xen/config-cases.js'
import {suite} from '../../support/suite.js'

const test = suite('xl: configuration, arguments, output')

const fixture = (name: string): string =>
  readFileSync(new URL(`../../fixtures/xen/${name}.txt`, import.meta.url), 'utf8')

test('a userspace proxy has all 44 keys, each once, and no port twice among its servers', () => {
  const vif = /^vif = (.*)$/m.exec(configOf(coloPair))?.[1] ?? ''
  const keys = [...vif.matchAll(/(colo_\w+)=/g)].map(([, key]) => key)
  assert.is(keys.length, 44)
  assert.equal([...keys].sort(), [...proxyKeys].sort())
})

test('what is read from a written string is what was written', () => {
  for (const text of ['plain', 'a "quoted" word', "it's", 'C:\\dir', '\\', '"', '# no comment']) {
    const {entries, problems} = parseXlCfg(`extra = ${quoteCfg(text)}\n`)
    assert.equal(problems, [])
    assert.is(entries[0]?.value, text)
  }
})

test('a template may add settings, not replace ours', () => {
  const sides = {primary: 'xa', secondary: 'xb'}
  const built = buildXenConfig(xenIdentity(coloPair), sides, 'keymap = "de"\nname = "other"\n')
  assert.equal(built, {problems: [{line: 2, problem: 'name is set by colo'}]})
  const broken = buildXenConfig(xenIdentity(coloPair), sides, 'keymap = \n')
  assert.ok('problems' in broken && broken.problems[0]?.line === 1)
  const good = buildXenConfig(xenIdentity(coloPair), sides, 'keymap = "de"\n')
  assert.ok('text' in good && good.text.startsWith('keymap = "de"\n'))
})

test('options of xl remus, and the command it asks for on the other side', () => {
  const at = {transport: '/run/colo/pairs/x/xen/transport', peer: 'xb', buffering: false}
  const argv = (pair: string): readonly string[] => remusArgv(remusOptionsOf(xenIdentity(pair).spec, at))
  assert.equal(argv(coloPair), ['xl', 'remus', '-c', '-u', '-p', '-s', at.transport, 'xweb', 'xb'])
  assert.equal(argv(remusPair), ['xl', 'remus', '-F', '-d', '-n', '-i', '500', '-s', at.transport, 'xrem', 'xb'])
  assert.not.ok(remusArgv({...remusOptionsOf(xenIdentity(remusPair).spec, at), buffering: true}).includes('-n'))
  assert.equal(receiverArgv({mode: 'colo', proxy: 'userspace'}), [
    'xl',
    'migrate-receive',
    '--colo',
    '--userspace-colo-proxy',
  ])
  assert.equal(receiverArgv({mode: 'colo', proxy: 'kernel'}), ['xl', 'migrate-receive', '--colo'])
  assert.equal(receiverArgv({mode: 'checkpoint', proxy: 'none'}), ['xl', 'migrate-receive', '-r'])
})

test('what a shell would not leave alone never gets into the command of xl', () => {
  const spec = xenIdentity(remusPair).spec
  for (const peer of ['a b', 'a;b', '$(id)', "a'b", 'a|b', '', '~root', 'a\nb']) {
    assert.throws(() => remusArgv(remusOptionsOf(spec, {transport: '/t', peer, buffering: false})), /not safe/)
  }
})

test('xl list, of a pair under protection on one Xen', () => {
  const domains = parseXlList(fixture('xl-4.17.5-list-protected'))
  assert.equal(
    domains.map(({name, domid, state}) => ({name, domid, state})),
    [
      {name: 'Domain-0', domid: 0, state: 'running'},
      {name: 'p1', domid: 1, state: 'running'},
      {name: 'p1--incoming', domid: 3, state: 'paused'},
    ],
  )
})

test('xl list, every state', () => {
  const row = (flags: string): string =>
    `Name ID   Mem VCPUs	State	Time(s)\na b   12   128     1     ${flags}       0.0\n`
  const state = (flags: string): string | undefined => parseXlList(row(flags))[0]?.state
  assert.equal(
    ['r-----', '-b----', '------', '--p---', '---ss-', '---s--', '---sc-', '---sr-', '--psc-', '-----d'].map(state),
    ['running', 'running', 'running', 'paused', 'suspended', 'shutdown', 'crashed', 'shutdown', 'crashed', 'dying'],
  )
  assert.is(parseXlList(row('r-----'))[0]?.name, 'a b')
  assert.throws(() => parseXlList('no table'), /heading/)
  assert.throws(() => parseXlList(row('?')), /row/)
})

test('xl info', () => {
  const info = parseXlInfo(fixture('xl-4.17.5-info'))
  assert.is(info.version, '4.17.5')
  assert.ok(info.virtCaps.includes('hvm') && info.virtCaps.includes('hap'))
  assert.ok(info.freeMemoryBytes > 0)
  assert.throws(() => parseXlInfo('host : a\n'), /xen_major/)
})

test('messages of a protection', () => {
  const log = fixture('xl-4.17.5-remus-protected')
  assert.ok(countCheckpoints(log) >= 1)
  assert.not.ok(hasTakenOver(log))
  assert.ok(hasTakenOver(`${log}\nmigration target: Remus Failover for domain 3\n`))
  assert.is(
    readRemusEnd('libxl: error: COLO is not supported\nmigration target: Domain creation failed').code,
    'no-colo',
  )
  assert.is(readRemusEnd('Remus: Backup failed? resuming domain at primary.').code, 'resumed')
  assert.is(readRemusEnd('COLO: Primary domain has been destroyed.').code, 'primary-destroyed')
  assert.equal(readRemusEnd(''), {code: 'unknown', reason: 'xl said nothing'})
})

test.run()
