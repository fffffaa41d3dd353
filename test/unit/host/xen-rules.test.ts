import * as assert from 'uvu/assert'

import {parsePairFile} from '../../../src/config/pair-file.js'
import type {HostFacts, QemuFacts, XenFacts} from '../../../src/host/facts.js'
import {checkSameXen, checkXenHost, checkXenPair} from '../../../src/host/rules/xen.js'
import {suite} from '../../support/suite.js'
import {coloPair, remusPair} from '../../support/xen/config-cases.js'
import {factsOf} from './samples.js'

const test = suite('rules for Xen hosts')

const fullQemu: QemuFacts = {
  binary: '/usr/lib/xen/bin/qemu-system-i386',
  version: '2.9.1',
  machines: [],
  commands: ['xen-set-replication', 'query-xen-replication-status', 'xen-colo-do-checkpoint'],
  objectTypes: ['colo-compare', 'filter-mirror', 'filter-redirector', 'filter-rewriter'],
  blockDrivers: ['quorum', 'replication'],
  coloNeedsReturnPath: false,
  coloAccepted: false,
}

/** A Xen 4.10 that has everything. */
const full: XenFacts = {
  hypervisor: {version: '4.10.4', virtCaps: ['hvm', 'hap'], freeMemoryBytes: 2 ** 32},
  domains: [],
  libxl: {path: '/usr/local/lib/libxenlight.so.4.10', libnl: true, coloMissing: false},
  deviceModel: fullQemu,
  modules: {xt_PMYCOLO: true, xt_SECCOLO: true, ifb: true, sch_plug: true},
  helpers: {'nl-qdisc-add': true, mkfifo: true, 'colo-proxy-setup': true, 'remus-netbuf-setup': true},
}

/** As Debian 12 packages it. */
const debian: XenFacts = {
  ...full,
  hypervisor: {version: '4.17.5', virtCaps: ['hvm', 'hap'], freeMemoryBytes: 2 ** 32},
  libxl: {path: '/usr/lib/x86_64-linux-gnu/libxenlight.so.4.17', libnl: false, coloMissing: true},
  deviceModel: {...fullQemu, version: '7.2.22', commands: ['query-xen-replication-status'], blockDrivers: ['quorum']},
  modules: {ifb: true, sch_plug: true},
  helpers: {mkfifo: true},
}

const host = (xen: XenFacts | undefined, name = 'xa'): HostFacts =>
  factsOf(name, fullQemu, xen === undefined ? {} : {xen})
const verdicts = (xen: XenFacts | undefined): Record<string, string> =>
  Object.fromEntries(checkXenHost(host(xen)).map(({id, verdict}) => [id, verdict]))

test('a complete old Xen can do everything', () => {
  assert.equal([...new Set(Object.values(verdicts(full)))], ['pass'])
})

test('Debian: Remus without NICs, no COLO, and both are said plainly', () => {
  assert.equal(verdicts(debian), {
    xen: 'pass',
    'xen-hvm': 'pass',
    'xen-remus': 'pass',
    'xen-buffering': 'warn',
    'xen-colo': 'warn',
    'xen-kernel-proxy': 'warn',
  })
  const colo = checkXenHost(host(debian)).find(({id}) => id === 'xen-colo')
  assert.match(
    colo?.message ?? '',
    /built without libnl.*COLO is not supported.*lacks xen-set-replication.*replication/,
  )
  assert.match(colo?.remedy ?? '', /no Debian package/)
})

test('a probe that failed is no word about what is installed', () => {
  const silent = {
    ...host(undefined),
    problems: [{probe: 'xen', message: 'xl info: no answer', timedOut: true as const}],
  }
  const [check, ...others] = checkXenHost(silent)
  assert.equal([check?.verdict, others], ['fail', []])
  assert.match(check?.message ?? '', /^xl is installed, but .* could not be asked: xl info: no answer/)
  assert.match(check?.remedy ?? '', /busy/)
  assert.equal(checkSameXen(silent, host(debian, 'xb')), [])
})

test('releases whose secondary aborts, or whose comparer lacks its iothread', () => {
  const at = (version: string, qemu = '2.9.1'): string | undefined =>
    checkXenHost(
      host({
        ...full,
        hypervisor: {version, virtCaps: ['hvm', 'hap'], freeMemoryBytes: 0},
        deviceModel: {...fullQemu, version: qemu},
      }),
    ).find(({id}) => id === 'xen-version')?.verdict
  assert.equal(
    ['4.8.5', '4.9.0', '4.11.4', '4.12.0', '4.20.1'].map((version) => at(version)),
    ['warn', 'pass', 'pass', 'warn', 'warn'],
  )
  assert.is(at('4.10.0', '5.2.0'), 'warn')
})

test('no xl, no hypervisor, no hardware virtualisation', () => {
  assert.equal(verdicts(undefined), {xen: 'fail'})
  assert.is(verdicts({...full, hypervisor: {problem: 'cannot open libxc handle'}})['xen'], 'fail')
  const noHap = {version: '4.10.0', virtCaps: ['pv', 'hvm'], freeMemoryBytes: 0}
  assert.is(verdicts({...full, hypervisor: noHap})['xen-hvm'], 'fail')
})

const pairFails = (pair: string, xen: XenFacts): string[] =>
  checkXenPair(parsePairFile(pair, 'a.yaml'), host(xen)).flatMap(({verdict, id}) => (verdict === 'fail' ? [id] : []))
const withNic = remusPair.replace(
  'checkpoint:',
  "nics: [{name: n, mac: '00:16:3e:00:00:12', bridge: br0}]\ncheckpoint:",
)

test('what a spec needs', () => {
  assert.equal(pairFails(coloPair, full), [])
  assert.equal(pairFails(coloPair, debian), ['xen-colo'])
  assert.equal(pairFails(remusPair, debian), [])
  assert.equal(pairFails(withNic, debian), ['xen-buffering'])
  assert.equal(pairFails(withNic, full), [])
  const kernel = coloPair.replace('uncompared: pass', 'uncompared: pass, forward: {via: tc, nic: eth1}')
  assert.equal(pairFails(kernel, {...full, modules: {}}), ['xen-kernel-proxy'])
})

test('names that are taken, also the one while receiving', () => {
  assert.equal(pairFails(remusPair, {...debian, domains: ['xrem']}), ['domain-name'])
  assert.equal(pairFails(remusPair, {...debian, domains: ['xrem--incoming']}), ['domain-name'])
  assert.equal(pairFails(remusPair, {...debian, domains: ['xrem2']}), [])
})

test('two hosts: one version, one engine', () => {
  assert.equal(
    checkSameXen(host(full), host(full, 'xb')).map(({verdict}) => verdict),
    ['pass'],
  )
  assert.equal(
    checkSameXen(host(full), host(debian, 'xb')).map(({verdict}) => verdict),
    ['fail'],
  )
  assert.equal(
    checkSameXen(host(full), host(undefined, 'xb')).map(({verdict}) => verdict),
    ['warn'],
  )
  assert.equal(checkSameXen(host(undefined), host(undefined, 'xb')), [])
})

test.run()
