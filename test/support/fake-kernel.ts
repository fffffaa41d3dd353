import {basename} from 'node:path'
import type {NetStep} from '../../src/net/forward/converge.js'
import type {ObservedLink, ObservedNetwork, ObservedQdisc, ObservedRule} from '../../src/net/forward/observed.js'

/**
 * What a kernel would hold after these steps, as far as forwarding goes. It understands the argv that the builders make and nothing else;
 * what a kernel refuses, such as a second clsact or a rule without a hook, it refuses too.
 */
export function apply(seen: ObservedNetwork, steps: readonly NetStep[]): ObservedNetwork {
  return steps.reduce((now, step) => ('argv' in step ? applyArgv(now, step.argv) : now), seen)
}

function applyArgv(seen: ObservedNetwork, argv: readonly string[]): ObservedNetwork {
  const after = (word: string): string => argv[argv.indexOf(word) + 1] ?? ''
  switch (argv.slice(0, 3).join(' ')) {
    case 'ip link add':
      return {...seen, links: [...seen.links, made(after('name'), after('type'), seen, argv)]}
    case 'ip tuntap add':
      return {...seen, links: [...seen.links, made(after('dev'), 'tun', seen, argv)]}
    case 'ip link del':
      return without(seen, after('dev'))
    case 'ip link set':
      return {
        ...seen,
        links: seen.links.map((link) => (link.name === after('dev') ? changed(link, argv.slice(5)) : link)),
      }
    case 'tc qdisc add':
      return {...seen, qdiscs: [...seen.qdiscs, qdiscMade(seen, argv)]}
    case 'tc qdisc del':
      return qdiscGone(seen, argv)
    case 'tc filter add':
      return {...seen, rules: [...seen.rules, ruleMade(seen, argv)]}
    case 'tc filter del':
      return ruleGone(seen, argv)
    default:
      throw new Error(`not understood: ${argv.join(' ')}`)
  }
}

function made(name: string, kind: string, seen: ObservedNetwork, argv: readonly string[]): ObservedLink {
  if (seen.links.some((link) => link.name === name)) throw new Error(`${name} exists`)
  const below = argv.includes('link', 3) ? argv[argv.indexOf('link', 3) + 1] : undefined
  return {
    name,
    index: 0,
    kind,
    up: false,
    carrier: false,
    promiscuous: false,
    mtu: 1500,
    master: undefined,
    alias: undefined,
    below,
    addresses: [],
    rxPackets: 0,
    txPackets: 0,
  }
}

function changed(link: ObservedLink, words: readonly string[]): ObservedLink {
  const [word, value] = words
  switch (word) {
    case 'up':
      return {...link, up: true}
    case 'down':
      return {...link, up: false}
    case 'promisc':
      return {...link, promiscuous: value === 'on'}
    case 'alias':
      return {...link, alias: value}
    case 'master':
      return {...link, master: value}
    default:
      throw new Error(`not understood: ${words.join(' ')}`)
  }
}

function without(seen: ObservedNetwork, device: string): ObservedNetwork {
  return {
    links: seen.links.filter(({name}) => name !== device),
    qdiscs: seen.qdiscs.filter((qdisc) => qdisc.device !== device),
    rules: seen.rules.filter((rule) => rule.device !== device),
  }
}

function qdiscMade(seen: ObservedNetwork, argv: readonly string[]): ObservedQdisc {
  const device = argv[4] ?? ''
  const kind = argv.at(-1) ?? ''
  if (!seen.links.some(({name}) => name === device)) throw new Error(`no device ${device}`)
  if (seen.qdiscs.some((qdisc) => qdisc.device === device && qdisc.kind === kind)) throw new Error(`${device}: exists`)
  return {device, kind, handle: kind === 'prio' ? '1:' : 'ffff:', root: kind === 'prio'}
}

function qdiscGone(seen: ObservedNetwork, argv: readonly string[]): ObservedNetwork {
  const device = argv[4] ?? ''
  const kind = argv[5] === 'root' ? 'prio' : argv[5]
  const gone = seen.qdiscs.find((qdisc) => qdisc.device === device && qdisc.kind === kind)
  if (gone === undefined) throw new Error(`no ${kind ?? ''} on ${device}`)
  const hooks = kind === 'clsact' ? ['ingress', 'egress'] : kind === 'prio' ? ['egress'] : ['ingress']
  return {
    ...seen,
    qdiscs: seen.qdiscs.filter((qdisc) => qdisc !== gone),
    rules: seen.rules.filter((rule) => rule.device !== device || !hooks.includes(rule.hook)),
  }
}

function hookOf(argv: readonly string[]): 'ingress' | 'egress' {
  return argv.includes('egress') && argv.indexOf('egress') === 5 ? 'egress' : argv[6] === '1:' ? 'egress' : 'ingress'
}

function ruleMade(seen: ObservedNetwork, argv: readonly string[]): ObservedRule {
  const device = argv[4] ?? ''
  const hook = hookOf(argv)
  const kinds = argv[5] === 'parent' ? (hook === 'ingress' ? ['ingress'] : ['prio']) : ['clsact']
  if (!seen.qdiscs.some((qdisc) => qdisc.device === device && kinds.includes(qdisc.kind))) {
    throw new Error(`no hook ${hook} on ${device}`)
  }
  const verbAt = argv.indexOf('mirred') + 2
  return {
    device,
    hook,
    protocol: argv[argv.indexOf('protocol') + 1] ?? '',
    preference: Number(argv[argv.indexOf('prio') + 1]),
    kind: argv.includes('bpf') ? 'bpf' : 'u32',
    program: argv.includes('bpf')
      ? `${basename(argv[argv.indexOf('object-file') + 1] ?? '')}:[${argv[argv.indexOf('section') + 1] ?? ''}]`
      : undefined,
    action: 'mirred',
    verb: argv[verbAt],
    to: argv[verbAt + 2],
    cookie: argv.includes('cookie') ? argv.at(-1) : undefined,
    packets: 0,
    bytes: 0,
    drops: 0,
  }
}

function ruleGone(seen: ObservedNetwork, argv: readonly string[]): ObservedNetwork {
  const device = argv[4] ?? ''
  const hook = hookOf(argv)
  const preference = Number(argv[argv.indexOf('prio') + 1])
  const at = seen.rules.findIndex(
    (rule) => rule.device === device && rule.hook === hook && rule.preference === preference,
  )
  if (at === -1) throw new Error(`no rule ${preference} at ${hook} of ${device}`)
  return {...seen, rules: seen.rules.filter((_, index) => index !== at)}
}
