import {
  exportAdd,
  jobDismiss,
  mirrorCancel,
  mirrorStart,
  nbdNodeAdd,
  nbdServerStart,
  nbdServerStop,
  nodeDel,
  quorumAdd,
  quorumRemove,
} from '../block/commands.js'
import {createArgv, infoArgv, mergeArgvs} from '../block/qemu-img.js'
import {unreachable} from '../errors.js'
import * as virsh from '../libvirt/virsh.js'
import {chardevAdd, chardevRemove, type VersionNumbers} from '../net/chardev.js'
import {firewallRuleset} from '../net/firewall.js'
import * as migration from '../net/migration.js'
import {netdevAdd, netdevDel} from '../net/netdev.js'
import {nftApplyArgv, tableRemoval} from '../net/nft-list.js'
import {filterOn, objectAdd, objectDel, objectSet} from '../net/objects.js'
import {tapFilterRuleset} from '../net/tap-filter.js'
import {runRoot, stateRoot} from '../pair/layout.js'
import type {SentCommand} from '../qmp/errors.js'
import type {Action, RecordChange} from './action.js'
import {describeForward, describeRelease, describeSend, mirrorSteps} from './describe-forward.js'
import {limit, octal, shell} from './describe-text.js'
import type {Plan, Step} from './plan.js'
import type {XenAction} from './xen/actions.js'
import {describeXen} from './xen/describe.js'

/** What a description needs beside the plan. */
export interface DescribeOptions {
  /** of the hosts; some options have other names in other versions. 11.1 unless told */
  readonly qemu?: VersionNumbers
  /** name of the pair; `describePlan` knows it */
  readonly pair?: string
}

const newest: VersionNumbers = {major: 11, minor: 1, micro: 0}

/**
 * A plan as what a person could type (`virsh`, `nft`, `qemu-img`, ...) or send: a line `agent.qmp {...}` goes to that QMP socket of the
 * pair. Lines with `#` are not commands: hosts, steps, waits, and what the agent does by itself.
 *
 * The text is stable, and made by the builders that also make what is executed.
 */
export function describePlan(plan: Plan, given: DescribeOptions = {}): string {
  const options = {...given, pair: plan.pair}
  const isXenPlan = plan.steps.some(({actions}) => actions.some(isXen))
  const lines = [
    `# ${plan.title}`,
    ...(isXenPlan ? [] : [`# sockets agent.qmp and yank.qmp: ${runRoot}/${plan.pair}/`]),
  ]
  let host: string | undefined
  for (const step of plan.steps) {
    if (step.host !== host) lines.push('', `## on ${step.host}`)
    host = step.host
    lines.push(...describeStep(plan, step, options))
  }
  lines.push(...describeUndo(plan, options))
  return `${lines.join('\n')}\n`
}

/**
 * One action as lines; each is a whole command, the rest of a here-document, or starts with `#`.
 *
 * @throws {UsageError} for values no command can be made of
 */
export function describeAction(action: Action, options: DescribeOptions = {}): readonly string[] {
  switch (action.kind) {
    case 'directory': {
      const owner = action.owner === 'root' ? [] : ['-o', 'QEMU-USER', '-g', 'QEMU-GROUP']
      return [shell(['install', '-d', '-m', octal(action.mode), ...owner, action.path])]
    }
    case 'image-create': {
      const create = shell(createArgv(action))
      if (action.existing === 'replace') return [shell(['rm', '-f', action.path]), create, ...qemusOwn(action.path)]
      return [`${shell(infoArgv(action.path, 'shared'))} || ${create}`, ...qemusOwn(action.path)]
    }
    case 'image-own':
      return qemusOwn(action.path)
    case 'file-remove':
      return [shell(['rm', '-f', action.path])]
    case 'directory-remove':
      return [shell(['rm', '-rf', action.path])]
    case 'overlays-merge':
      return mergeArgvs(action).map(shell)
    case 'domain-create':
      return describeXml(action)
    case 'domain-destroy':
      return [shell(virsh.destroyArgv(action.domain))]
    case 'lifecycle':
      return virsh.lifecycleArgvs(action.domain, action).map(shell)
    case 'power-button':
      return [agent(migration.powerButton)]
    case 'power-off':
      return [
        ...(action.how === 'button'
          ? ['# in lock-step: checkpoints rare until then', agent(migration.powerButton)]
          : [agent(migration.stopVm), agent(migration.quitVm)]),
        `# wait until QEMU has ended and its disks were flushed without an error; record: clean (at most ${limit(action.timeoutMs)})`,
      ]
    case 'stop-follow':
      return [
        `# wait until the primary's agent says that it was stopped cleanly (at most ${limit(action.timeoutMs)})`,
        shell(virsh.destroyArgv(action.domain)),
        '# record: clean, or stale when a write did not arrive',
      ]
    case 'domain-shutdown':
      return [
        shell(virsh.shutdownArgv(action.uuid)),
        `# wait until it is off (at most ${limit(action.timeoutMs)}${action.must ? '' : ', then go on'})`,
      ]
    case 'domain-start':
      return [shell(virsh.startArgv(action.uuid))]
    case 'domain-undefine':
      return ['# its definition is in the record of the pair', shell(virsh.undefineArgv(action.uuid))]
    case 'domain-define':
      return [
        '# plain.xml: the definition in the record of the pair',
        shell(virsh.defineArgv('plain.xml')),
        ...(action.autostart ? [shell(virsh.autostartArgv(action.uuid))] : []),
      ]
    case 'vm-continue':
      return [agent(migration.continueVm)]
    case 'vm-await':
      return [`# wait until the run state is ${action.states.join(' or ')} (at most ${limit(action.timeoutMs)})`]
    case 'nbd-server':
      return [agent(action.ensure === 'absent' ? nbdServerStop : nbdServerStart(action))]
    case 'export':
      return [agent(exportAdd(action))]
    case 'nbd-node':
      return [agent(action.ensure === 'absent' ? nodeDel(action.node) : nbdNodeAdd(action))]
    case 'quorum-child-add':
      return [agent(quorumAdd(action.quorum, action.node))]
    case 'quorum-child-remove':
      return [agent(quorumRemove(action.quorum, action.child))]
    case 'mirrors':
      return [
        ...action.disks.map((disk) => agent(mirrorStart(disk))),
        `# wait until ${action.disks.map(({job}) => job).join(', ')} are ready (at most ${limit(action.timeoutMs)})`,
      ]
    case 'mirrors-finish':
      return [
        agent(migration.stopVm),
        ...action.disks.map(({job}) => agent(mirrorCancel(job, false))),
        `# wait until ${action.disks.map(({job}) => job).join(', ')} are concluded`,
        ...action.disks.map(({quorum, target}) => agent(quorumAdd(quorum, target))),
        ...action.disks.map(({job}) => agent(jobDismiss(job))),
        agent(migration.continueVm),
      ]
    case 'mirrors-abort':
      return action.disks.flatMap(({job}) => [agent(mirrorCancel(job, true)), agent(jobDismiss(job))])
    case 'commit-follow':
      return [
        '# follow the commit of the overlays; when it ended, delete their nodes and clear the mark "incomplete: commit"',
      ]
    case 'chardev':
      if (action.ensure === 'absent') return [agent(chardevRemove(action.id))]
      return [agent(chardevAdd(action.id, action.backend, options.qemu ?? newest))]
    case 'tcg-settle':
      return [`# TCG: wait until the guest runs no new code, as after its boot (at most ${limit(action.timeoutMs)})`]
    case 'chardev-await':
      return [`# wait until ${action.ids.join(', ')} are connected (at most ${limit(action.timeoutMs)})`]
    case 'object':
      return [agent(action.ensure === 'absent' ? objectDel(action.id) : objectAdd(action))]
    case 'object-set':
      return [agent(objectSet(action.id, action.property, action.value))]
    case 'tap':
      return [shell(['ip', 'link', 'set', 'dev', action.tap, action.state])]
    case 'tap-filter':
      return nft(
        action.ensure === 'absent' ? tableRemoval('netdev', action.table) : tapFilterRuleset(action.table, action.tap),
      )
    case 'firewall':
      return nft(
        action.ensure === 'absent' ? tableRemoval('inet', action.table) : firewallRuleset(action.table, action),
      )
    case 'forward':
      return describeForward(action)
    case 'forward-release':
      return describeRelease(action)
    case 'forward-send':
      return describeSend(action)
    case 'forward-listen':
      return [`# count frames from ${action.station} at every interface`]
    case 'forward-heard':
      return [`# frames from ${action.station} came in at ${action.path.nic} and nowhere else`]
    case 'forward-proven':
      return [`# the link of ${action.paths.map(({nic}) => nic).join(', ')} is proven`]
    case 'netdev':
      return [agent(action.ensure === 'absent' ? netdevDel(action.id) : netdevAdd(action.id, action.backend))]
    case 'announce':
      return [agent(migration.announceSelf)]
    case 'colo-capabilities':
      return describeCapabilities(action, options)
    case 'incoming':
      return [agent(migration.incoming(action.address, action.port))]
    case 'migrate':
      return describeMigrate(action, options)
    case 'migrate-cancel':
      return [agent(migration.migrateCancel)]
    case 'colo-await':
      return [`# wait until this side is ${action.role} in lock-step and runs (at most ${limit(action.timeoutMs)})`]
    case 'checkpoint':
      return [
        agent(migration.checkpointDelay(action.intervalMs)),
        `# wait for this checkpoint (at most ${limit(action.timeoutMs)})`,
      ]
    case 'checkpoint-await':
      return [`# wait for a complete checkpoint (at most ${limit(action.timeoutMs)})`]
    case 'yank':
      return [`yank.qmp ${JSON.stringify({'exec-oob': 'yank', arguments: {instances: action.instances}})}`]
    case 'lost-heartbeat':
      return [agent(migration.lostHeartbeat)]
    case 'record-create': {
      const {role, generation, spec} = action.record
      return [`# record: ${stateRoot}/${spec.name}/record.json, ${role}, generation ${generation.epoch}`]
    }
    case 'record-change':
      return [`# record: ${describeChange(action.change)}`]
    case 'record-images':
      return [`# record: inode, device and size of ${action.images.map(({path}) => path).join(', ')}`]
    case 'images-verify':
      return [
        `# compare path, inode and size of the images with the record${action.accepted.length === 0 ? '' : `; accepted: ${action.accepted.join(', ')}`}`,
      ]
    case 'images-at-rest':
      return ['# compare inode, size and time of the last write of the images with the record of the clean stop']
    case 'protection-begin':
      return ['# record: the NBD connections in use now as those of the protection']
    case 'record-remove':
      return ['# record: removed']
    default:
      return isXen(action) ? describeXen(action, options.pair ?? 'NAME') : unreachable(action)
  }
}

function isXen(action: Action): action is XenAction {
  return action.kind.startsWith('xen-')
}

function describeStep(plan: Plan, step: Step, options: DescribeOptions): string[] {
  const optional = step.optional === true ? ', a failure does not end the plan' : ''
  return [
    `# ${step.label} (${step.id})${optional}`,
    ...step.actions.flatMap((action) => describeAction(action, options)),
    ...(step.id === plan.pointOfNoReturn ? [`# point of no return; if it stops after this: ${plan.finish}`] : []),
  ]
}

/** Only steps up to the point of no return are ever undone. */
function describeUndo(plan: Plan, options: DescribeOptions): string[] {
  const last = plan.steps.findIndex(({id}) => id === plan.pointOfNoReturn)
  const undoable = (last === -1 ? plan.steps : plan.steps.slice(0, last)).filter(({undo}) => (undo ?? []).length > 0)
  if (undoable.length === 0) return []
  const lines = ['', '# if a step fails, of those before it, in this order:']
  for (const step of [...undoable].reverse()) {
    lines.push(`# ${step.host}: undo "${step.label}" (${step.id})`)
    for (const action of step.undo ?? []) {
      lines.push(...describeAction(action, options).map((line) => `#   ${line.replace(/^# /, '')}`))
    }
  }
  return lines
}

function qemusOwn(path: string): string[] {
  return [shell(['chown', 'QEMU-USER:QEMU-GROUP', path]), shell(['chmod', '0600', path])]
}

function describeXml({domain, xml}: Extract<Action, {kind: 'domain-create'}>): string[] {
  const count = xml.split('\n').filter((line) => line.trim() !== '').length
  const file = `${stateRoot}/${domain}/domain.xml`
  return [
    `# ${file}: <domain ${domain}, ${count} lines; colo pair xml ${domain}>`,
    shell(virsh.createArgv(file)),
    '# the agent connects to agent.qmp',
  ]
}

function describeCapabilities(
  {side}: Extract<Action, {kind: 'colo-capabilities'}>,
  options: DescribeOptions,
): string[] {
  const version = options.qemu ?? newest
  const sent = (returnPath: boolean): string =>
    agent(migration.setCapabilities(migration.coloCapabilities(side, version, returnPath)))
  return [sent(false), '# if refused:', sent(true)]
}

function describeMigrate(action: Extract<Action, {kind: 'migrate'}>, options: DescribeOptions): string[] {
  const filters = [...mirrorSteps(action.mirrorsOn ?? []), ...action.filtersOn.map((id) => agent(filterOn(id)))]
  const pauses = migration.pausesBeforeSwitchover(options.qemu ?? newest)
  return [
    agent(migration.migrationParameters(action.intervalMs)),
    ...(action.guest === 'runs' ? [] : [agent(migration.stopVm)]),
    agent(migration.migrate(action.address, action.port)),
    ...(pauses ? ['# at pre-switchover:', ...filters, agent(migration.migrateContinue)] : []),
    `# wait until the migration is colo and the guest runs (at most ${limit(action.timeoutMs)})`,
    ...(pauses ? [] : [...filters, agent(migration.checkpointDelay(action.intervalMs))]),
  ]
}

function describeChange(change: RecordChange): string {
  const words = Object.entries(change).map(([field, value]) => {
    if (['spec', 'ports', 'addresses', 'beaconPorts'].includes(field)) return `${field} of the new placement`
    if (field === 'generation') return `generation=${change.generation?.epoch ?? '?'}`
    if (field === 'spec') return 'spec=the new one'
    if (field === 'marks') return `marks=${Object.keys(change.marks ?? {}).join('+') || 'none'}`
    return `${field}=${String(value)}`
  })
  return words.join(', ')
}

function agent({command, arguments: args}: SentCommand): string {
  return `agent.qmp ${JSON.stringify({execute: command, ...(args && {arguments: args})})}`
}

function nft(ruleset: string): string[] {
  return [`${shell(nftApplyArgv())} <<'END'`, ...ruleset.trimEnd().split('\n'), 'END']
}
