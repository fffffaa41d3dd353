import type {PairSpec} from '../../pair/spec.js'
import {forwardNicOf, proxyOf} from '../../xen/layout.js'
import {incomingName} from '../../xen/names.js'
import {fail, pass, warn, type Check} from '../check.js'
import type {HostFacts, ProbeProblem, QemuFacts, XenFacts} from '../facts.js'
import {isAtLeast, parseVersion, type Version} from '../version.js'

/** Whether pairs of this host are Xen's: a dom0 runs no other. */
export function isXenHost(facts: HostFacts): facts is HostFacts & {readonly xen: XenFacts} {
  return facts.xen !== undefined
}

const wanted = {
  commands: ['xen-set-replication', 'query-xen-replication-status', 'xen-colo-do-checkpoint'],
  blockDrivers: ['quorum', 'replication'],
  objectTypes: ['colo-compare', 'filter-mirror', 'filter-redirector', 'filter-rewriter'],
} as const

const build = 'no Debian package has it: build Xen with libnl-3, and its QEMU with --enable-replication'

/** What a Xen host can run, said plainly: the hypervisor, Remus, COLO, and what each lacks. */
export function checkXenHost(facts: HostFacts): Check[] {
  if (!isXenHost(facts)) {
    const unseen = xenProblem(facts)
    if (unseen !== undefined) return [notAsked(facts.host, unseen)]
    return [
      fail(
        {id: 'xen', host: facts.host},
        'xl is not installed',
        'install Xen (`apt-get install xen-system-amd64`) and boot it',
      ),
    ]
  }
  return [
    ...checkHypervisor(facts),
    ...checkXenTools(facts),
    ...checkRemus(facts),
    ...checkColo(facts),
    ...checkProxy(facts),
  ]
}

/** Why nobody knows whether Xen is there: its probe failed, which is no word about what is installed. */
export function xenProblem({problems}: HostFacts): ProbeProblem | undefined {
  return problems?.find(({probe}) => probe === 'xen')
}

function notAsked(host: string, {message, timedOut}: ProbeProblem): Check {
  return fail(
    {id: 'xen', host},
    `xl is installed, but what Xen can do could not be asked: ${message}`,
    timedOut === true
      ? 'the host is busy: try again; if it stays so, see what loads it (`xl top`)'
      : 'try again; if it stays so, try `xl info` as root',
  )
}

function checkHypervisor({host, xen}: HostFacts & {readonly xen: XenFacts}): Check[] {
  const {hypervisor} = xen
  if ('problem' in hypervisor) {
    const remedy = 'boot Xen, start xenstored and xenconsoled, and try `xl info` as root'
    return [fail({id: 'xen', host}, `xl does not answer: ${hypervisor.problem}`, remedy)]
  }
  const lacks = ['hvm', 'hap'].filter((capability) => !hypervisor.virtCaps.includes(capability))
  return [
    pass({id: 'xen', host}, `Xen ${hypervisor.version} answers`),
    lacks.length === 0
      ? pass({id: 'xen-hvm', host}, 'guests run with hardware virtualisation (hvm, hap)')
      : fail(
          {id: 'xen-hvm', host},
          `the processor gives no ${lacks.join(', ')}`,
          'enable VT-x and EPT, or AMD-V and NPT, in the firmware',
        ),
  ]
}

function checkXenTools({host, xen}: HostFacts & {readonly xen: XenFacts}): Check[] {
  if (xen.helpers['mkfifo'] === true) return []
  return [fail({id: 'tools', host}, 'mkfifo: not installed', '`apt-get install coreutils`')]
}

function checkRemus({host, xen}: HostFacts & {readonly xen: XenFacts}): Check[] {
  const missing = bufferingMissing(xen)
  const about = {id: 'xen-remus', host}
  if (missing.length === 0) return [pass(about, 'mode checkpoint (Remus) runs here, network output included')]
  return [
    pass(about, 'mode checkpoint (Remus) runs here, for guests without NICs'),
    warn(
      {id: 'xen-buffering', host},
      `no NICs with mode checkpoint: output could not be held until its checkpoint, ${missing.join(', ')}`,
      build,
    ),
  ]
}

/** What Remus needs to hold back network output. */
export function bufferingMissing({libxl, modules, helpers}: XenFacts): string[] {
  return [
    ...(libxl?.libnl === true ? [] : ['libxenlight is built without libnl']),
    ...['ifb', 'sch_plug'].filter((name) => modules[name] !== true).map((name) => `no kernel module ${name}`),
    ...['nl-qdisc-add', 'remus-netbuf-setup'].filter((name) => helpers[name] !== true).map((name) => `no ${name}`),
  ]
}

function checkColo({host, xen}: HostFacts & {readonly xen: XenFacts}): Check[] {
  const missing = coloMissing(xen)
  const about = {id: 'xen-colo', host}
  if (missing.length > 0) return [warn(about, `mode colo cannot run here: ${missing.join('; ')}`, build)]
  return [pass(about, 'this build has COLO'), ...checkRelease(host, xen)]
}

/** What the build lacks for COLO. */
export function coloMissing({libxl, deviceModel}: XenFacts): string[] {
  return [
    ...(libxl === undefined
      ? ['libxenlight was not found']
      : libxl.coloMissing || !libxl.libnl
        ? ['libxenlight is built without libnl and answers "COLO is not supported"']
        : []),
    ...(deviceModel === undefined ? ['QEMU for Xen was not found'] : deviceModelMissing(deviceModel)),
  ]
}

function deviceModelMissing(qemu: QemuFacts): string[] {
  const missing = (['commands', 'blockDrivers', 'objectTypes'] as const).flatMap((kind) =>
    wanted[kind].filter((name) => !qemu[kind].includes(name)),
  )
  return missing.length === 0 ? [] : [`QEMU ${qemu.version} for Xen lacks ${missing.join(', ')}`]
}

/** COLO's secondary aborts from 4.12 on; before, QEMU's comparer needs an iothread that libxl does not make. */
function checkRelease(host: string, {hypervisor, deviceModel}: XenFacts): Check[] {
  if ('problem' in hypervisor) return []
  const about = {id: 'xen-version', host}
  if (atLeast(hypervisor.version, [4, 12, 0])) {
    const message = `Xen ${hypervisor.version}: the secondary aborts at the second checkpoint (libxenlight 4.12 and later; libxl__ev_qmp_send)`
    return [warn(about, message, 'use 4.9 to 4.11, or initialise dsps->qmp in libxl_colo_restore.c')]
  }
  if (!atLeast(hypervisor.version, [4, 9, 0]))
    return [warn(about, `Xen ${hypervisor.version} has no userspace proxy`, 'use 4.9 to 4.11')]
  if (deviceModel !== undefined && atLeast(deviceModel.version, [2, 11, 0])) {
    const message = `Xen ${hypervisor.version} starts the comparer without the iothread that QEMU ${deviceModel.version} wants`
    return [warn(about, message, 'use a QEMU before 2.11 with it')]
  }
  return [pass(about, `Xen ${hypervisor.version} is from before the faults of 4.12`)]
}

function atLeast(text: string, least: Version): boolean {
  return isAtLeast(parseVersion(text) ?? [0, 0, 0], least)
}

function checkProxy({host, xen}: HostFacts & {readonly xen: XenFacts}): Check[] {
  const there = (['xt_PMYCOLO', 'xt_SECCOLO'] as const).filter((name) => xen.modules[name] === true)
  const about = {id: 'xen-kernel-proxy', host}
  if (there.length === 2) return [pass(about, 'the modules of the kernel proxy are there')]
  const message =
    'the kernel proxy cannot run: its modules xt_PMYCOLO and xt_SECCOLO are not there (they are for kernels 3.x and 4.x)'
  return [warn(about, message, 'use the userspace proxy: `forward: {via: socket}`')]
}

/** Both hosts together: the stream of one version is read by the same version only, as far as anyone knows. */
export function checkSameXen(a: HostFacts, b: HostFacts): Check[] {
  if (!isXenHost(a) || !isXenHost(b)) {
    if (xenProblem(a) !== undefined || xenProblem(b) !== undefined) return []
    if (!isXenHost(a) && !isXenHost(b)) return []
    const [xen, other] = isXenHost(a) ? [a, b] : [b, a]
    return [warn({id: 'same-engine'}, `${xen.host} runs Xen and ${other.host} does not: no pair can be made of them`)]
  }
  const [one, two] = [a.xen.hypervisor, b.xen.hypervisor]
  if ('problem' in one || 'problem' in two) return []
  const about = {id: 'same-xen'}
  if (one.version === two.version) return [pass(about, `both hosts run Xen ${one.version}`)]
  return [
    fail(about, `${a.host} runs Xen ${one.version}, ${b.host} Xen ${two.version}`, 'install the same Xen on both'),
  ]
}

/** What a pair needs of one of its hosts. */
export function checkXenPair(spec: PairSpec, facts: HostFacts): Check[] {
  const base = checkXenHost(facts).filter(({verdict}) => verdict === 'fail')
  if (base.length > 0 || !isXenHost(facts)) return base
  const {host, xen} = facts
  return [
    ...(spec.mode === 'colo' ? pairColo(spec, host, xen) : pairRemus(spec, host, xen)),
    ...freeNames(spec, host, xen),
    ...freeMemory(spec, host, xen),
  ]
}

function pairColo(spec: PairSpec, host: string, xen: XenFacts): Check[] {
  const missing = coloMissing(xen)
  const about = {id: 'xen-colo', host}
  const proxy = proxyOf({spec})
  return [
    ...(missing.length === 0
      ? [pass(about, 'this build has COLO'), ...checkRelease(host, xen)]
      : [fail(about, `mode colo cannot run here: ${missing.join('; ')}`, `${build}; or use mode: checkpoint`)]),
    ...(proxy === 'kernel'
      ? checkProxy({host, xen} as HostFacts & {readonly xen: XenFacts}).map((check) =>
          check.verdict === 'warn' ? fail({id: check.id, host}, check.message, check.remedy ?? '') : check,
        )
      : []),
    warn(
      {id: 'xen-guest', host},
      'the guest must not use PV drivers',
      `boot it with nopv (older kernels: xen_nopv); and in it: net.ipv4.tcp_timestamps=0, tcp_sack=0${
        proxy === 'kernel' ? `; ${forwardNicOf(spec) ?? ''} must be a direct link used for nothing else` : ''
      }`,
    ),
  ]
}

function pairRemus(spec: PairSpec, host: string, xen: XenFacts): Check[] {
  const missing = spec.nics.length === 0 ? [] : bufferingMissing(xen)
  if (missing.length === 0) return [pass({id: 'xen-remus', host}, 'Remus can protect this guest')]
  const message = `the answers of this guest could not be held until their checkpoint: ${missing.join(', ')}`
  return [fail({id: 'xen-buffering', host}, message, `${build}; or protect a guest without NICs`)]
}

/** The name of the pair, and the one it has while it is received. */
function freeNames(spec: PairSpec, host: string, xen: XenFacts): Check[] {
  const names = [spec.name, incomingName(spec.name)]
  const taken = names.filter((name) => xen.domains.includes(name))
  const about = {id: 'domain-name', host}
  if (taken.length === 0) return [pass(about, `no domain is called ${names.join(' or ')}`)]
  return [
    fail(
      about,
      `Xen has a domain ${taken.join(' and ')} already`,
      `rename the pair, or end it: \`xl destroy ${taken[0] ?? ''}\``,
    ),
  ]
}

function freeMemory(spec: PairSpec, host: string, {hypervisor}: XenFacts): Check[] {
  if ('problem' in hypervisor) return []
  const about = {id: 'xen-memory', host}
  const mib = (bytes: number): string => `${Math.floor(bytes / 1024 ** 2)} MiB`
  const message = `${mib(hypervisor.freeMemoryBytes)} of Xen's memory are free, the guest has ${mib(spec.vm.memoryBytes)}`
  if (hypervisor.freeMemoryBytes > spec.vm.memoryBytes) return [pass(about, message)]
  return [
    warn(
      about,
      message,
      'unless xl may take it from dom0: end something, or give dom0 less (dom0_mem= on the command line of Xen)',
    ),
  ]
}
