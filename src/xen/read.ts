import {DecodeError} from '../errors.js'

/** What `xl list` says a domain does. */
export interface XlDomain {
  readonly name: string
  readonly domid: number
  readonly memoryMiB: number
  readonly vcpus: number
  /** `running` also while blocked: it waits for an event */
  readonly state: 'running' | 'paused' | 'suspended' | 'shutdown' | 'crashed' | 'dying'
}

/**
 * Reads `xl list`. No letter at all is a domain that was not scheduled when it was looked at.
 *
 * @throws {DecodeError} when there is no table
 * @see xen-project/xen docs/man/xl.1.pod.in, list
 */
export function parseXlList(stdout: string): XlDomain[] {
  const [head = '', ...rows] = stdout.split('\n')
  if (!/^Name\s+ID\s+Mem\s+VCPUs\s+State\s+Time\(s\)/.test(head)) {
    throw new DecodeError({source: 'xl list', path: 'heading', expected: 'Name ID Mem VCPUs State Time(s)'})
  }
  return rows.flatMap((row) => {
    if (row.trim() === '') return []
    const found = /^(.*?)\s+(\d+)\s+(\d+)\s+(\d+)\s+([rbpscdwS-]{6})\s+[\d.]+\s*$/.exec(row)
    const [, name, domid, memory, vcpus, flags] = found ?? []
    // a domain that is being destroyed may be (null), and what is being created has no name yet
    if (name === undefined || flags === undefined) {
      throw new DecodeError({source: 'xl list', path: 'row', expected: 'NAME ID MEM VCPUS STATE TIME'})
    }
    return [{name, domid: Number(domid), memoryMiB: Number(memory), vcpus: Number(vcpus), state: stateOf(flags)}]
  })
}

/** The places: running, blocked, paused, shut down, why (- power off, r reboot, s suspend, c crash, w watchdog, S soft reset), dying. */
function stateOf(flags: string): XlDomain['state'] {
  if (flags[5] === 'd') return 'dying'
  if (flags[3] === 's') {
    if (flags[4] === 's') return 'suspended'
    return flags[4] === 'c' ? 'crashed' : 'shutdown'
  }
  return flags[2] === 'p' ? 'paused' : 'running'
}

/** What `xl info` says of a host. */
export interface XlInfo {
  /** `4.17.5` */
  readonly version: string
  readonly capabilities: readonly string[]
  readonly virtCaps: readonly string[]
  readonly freeMemoryBytes: number
}

/** @throws {DecodeError} when a field is missing */
export function parseXlInfo(stdout: string): XlInfo {
  const fields = new Map<string, string>()
  for (const line of stdout.split('\n')) {
    const [, key, value] = /^(\w+)\s*:\s?(.*)$/.exec(line) ?? []
    if (key !== undefined && value !== undefined) fields.set(key, value.trim())
  }
  const field = (key: string): string => {
    const value = fields.get(key)
    if (value === undefined) throw new DecodeError({source: 'xl info', path: key, expected: 'a line with this key'})
    return value
  }
  const major = Number(field('xen_major'))
  const minor = Number(field('xen_minor'))
  const extra = /^\.\d+/.exec(field('xen_extra'))?.[0] ?? ''
  return {
    version: `${major}.${minor}${extra}`,
    capabilities: words(field('xen_caps')),
    virtCaps: words(field('virt_caps')),
    freeMemoryBytes: Number(field('free_memory')) * 1024 ** 2,
  }
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '')
}

/** What became of a protection, by the messages of its xl. */
export interface XlEnd {
  readonly code:
    | 'no-colo'
    | 'no-buffering'
    | 'receiver-refused'
    | 'already-exists'
    | 'primary-destroyed'
    | 'resumed'
    | 'proxy'
    | 'suspend'
    | 'options'
    | 'unknown'
  /** one sentence without a full stop */
  readonly reason: string
  readonly remedy?: string
}

const endings: ReadonlyArray<{
  readonly code: XlEnd['code']
  readonly when: RegExp
  readonly reason: string
  readonly remedy?: string
}> = [
  {
    code: 'no-colo',
    when: /COLO is not supported/,
    reason: 'this libxenlight was built without COLO (without libnl)',
    remedy: 'use a Xen built with libnl-3 and QEMU with replication, or `mode: checkpoint`',
  },
  {
    code: 'no-buffering',
    when: /Remus: No support for network buffering/,
    reason: 'this libxenlight was built without network buffering (without libnl)',
    remedy: 'use a Xen built with libnl-3, or a guest without NICs',
  },
  {
    code: 'proxy',
    when: /can not create a netlink socket|failed to setup colo proxy/,
    reason: 'the kernel proxy is not there: its modules are not loaded',
    remedy: 'use the userspace proxy: forward: {via: socket}',
  },
  {
    code: 'options',
    when: /option -c is conflict|must be used in conjunction/,
    reason: 'xl refused its options',
  },
  {
    code: 'already-exists',
    when: /Domain with name "[^"]*" already exists|already exists/,
    reason: 'the other host has a domain of this name from an earlier try',
    remedy: 'end it there: xl destroy NAME--incoming',
  },
  {
    code: 'suspend',
    when: /guest didn't acknowledge suspend|failed to suspend|suspend.*timed? ?out/i,
    reason: 'the guest could not be suspended',
    remedy: 'see /var/log/xen; with COLO the guest must have no PV drivers',
  },
  {
    code: 'primary-destroyed',
    when: /(Remus|COLO): Primary domain has been destroyed/,
    reason: 'the primary was destroyed; the other side may take over',
  },
  {
    code: 'resumed',
    when: /(Remus|COLO): Backup failed\? resuming domain at primary/,
    reason: 'the secondary is gone, the primary goes on',
  },
  {
    code: 'receiver-refused',
    when: /migration target: .*[Ff]ailed|migration transport process .* exited|truncated reading/,
    reason: 'the receiver on the other host ended',
    remedy: 'see the log of the receiver there',
  },
]

/** Why `xl remus` ended, by what it and its receiver printed: the cause before its consequences. */
export function readRemusEnd(log: string): XlEnd {
  const found = endings.find(({when}) => when.test(log))
  if (found !== undefined) {
    const {when: _, ...end} = found
    return end
  }
  const last = log
    .split('\n')
    .filter((line) => line.trim() !== '')
    .at(-1)
  return {code: 'unknown', reason: last === undefined ? 'xl said nothing' : `xl said: ${last.trim()}`}
}

/** Whether the receiver has taken over. */
export function hasTakenOver(receiverLog: string): boolean {
  return /migration target: (Remus|COLO) Failover for domain \d+/.test(receiverLog)
}

/** Checkpoints that the receiver completed. libxc prints one line for each, and one when the first copy of the memory is there. */
export function countCheckpoints(receiverLog: string): number {
  return receiverLog.split('All records processed').length - 1
}
