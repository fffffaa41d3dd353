import {DecodeError} from '../errors.js'
import type {Argv} from '../os/process.js'
import type {Lifecycle} from '../pair/lifecycle.js'

/** The one connection colo uses: pairs are domains of the system's QEMU driver. */
export const virshUri = 'qemu:///system'

/*
 * `domain` is a name or a uuid. virsh tries a number as a domain id first: for a name of digits only give the uuid.
 */

/** Creates a transient domain from a file; its guest does not run yet. */
export const createArgv = (file: string): Argv => virsh('create', '--file', file, '--paused')
/** Ends QEMU, with SIGKILL when SIGTERM does not do it. */
export const destroyArgv = (domain: string): Argv => virsh('destroy', '--domain', domain)
export const domstateArgv = (domain: string): Argv => virsh('domstate', '--domain', domain, '--reason')
/** What libvirt does with the running domain when its guest powers off or resets itself; in the order in which libvirt takes it. */
export function lifecycleArgvs(domain: string, {poweroff, reboot}: Lifecycle): readonly Argv[] {
  const argv = (type: string, action: string): Argv =>
    virsh('set-lifecycle-action', '--domain', domain, '--type', type, '--action', action, '--live')
  const argvs = [argv('poweroff', poweroff), argv('reboot', reboot)]
  return poweroff === 'restart' ? argvs.reverse() : argvs
}
/** Names of all domains, running or not. */
export const listArgv = (): Argv => virsh('list', '--all', '--name')
export const dumpxmlArgv = (domain: string): Argv => virsh('dumpxml', '--domain', domain)
/** The definition libvirt keeps for the next start, with its passwords: what can be defined again. */
export const definitionArgv = (domain: string): Argv =>
  virsh('dumpxml', '--domain', domain, '--inactive', '--security-info')
export const dominfoArgv = (domain: string): Argv => virsh('dominfo', '--domain', domain)
export const snapshotsArgv = (domain: string): Argv => virsh('snapshot-list', '--domain', domain, '--name')
export const checkpointsArgv = (domain: string): Argv => virsh('checkpoint-list', '--domain', domain, '--name')
/** Presses the power button; the guest decides when it is off. */
export const shutdownArgv = (domain: string): Argv => virsh('shutdown', '--domain', domain, '--mode', 'acpi')
export const startArgv = (domain: string): Argv => virsh('start', '--domain', domain)
/** Refused by libvirt while there is a managed save, a snapshot or NVRAM. */
export const undefineArgv = (domain: string): Argv => virsh('undefine', '--domain', domain)
export const defineArgv = (file: string): Argv => virsh('define', '--file', file)
export const autostartArgv = (domain: string): Argv => virsh('autostart', '--domain', domain)
export const versionArgv = (): Argv => virsh('version', '--daemon')

function virsh(...args: readonly string[]): Argv {
  return ['virsh', '--quiet', '--connect', virshUri, ...args]
}

/** What libvirt says a domain does; its word for the cause is in `reason`. */
export interface DomainState {
  readonly state: string
  readonly reason: string | undefined
}

/**
 * Reads `domstate --reason`, as in `running (booted)` or `shut off (destroyed)`.
 *
 * @throws {DecodeError} for any other shape
 */
export function parseDomstate(stdout: string): DomainState {
  const found = /^([a-z][a-z ]*?)(?: \(([^()]*)\))?$/.exec(stdout.trim())
  if (found?.[1] === undefined)
    throw new DecodeError({source: 'virsh domstate', path: 'state', expected: 'STATE (REASON)'})
  return {state: found[1], reason: found[2]}
}

/** What `dominfo` says that `dumpxml` does not. */
export interface DomainInfo {
  readonly persistent: boolean
  readonly autostart: boolean
  /** its memory is saved in a file, and the next start would go on from there */
  readonly managedSave: boolean
}

/** @throws {DecodeError} when a line is missing */
export function parseDominfo(stdout: string): DomainInfo {
  const field = (name: string): string => {
    const found = new RegExp(`^${name}:\\s+(\\S+)\\s*$`, 'm').exec(stdout)?.[1]
    if (found === undefined) throw new DecodeError({source: 'virsh dominfo', path: name, expected: 'a line'})
    return found
  }
  return {
    persistent: field('Persistent') === 'yes',
    autostart: field('Autostart') === 'enable',
    managedSave: field('Managed save') === 'yes',
  }
}

/** Reads `list --name`: one name per line, an empty line at the end. */
export function parseList(stdout: string): string[] {
  return stdout
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

/** Versions by `version --daemon`: of libvirt's daemon and of the QEMU it starts, as in `11.3.0`. */
export interface VirshVersion {
  readonly daemon: string
  readonly hypervisor: string
}

/** @throws {DecodeError} when one of the two lines is missing */
export function parseVersion(stdout: string): VirshVersion {
  const field = (pattern: RegExp, path: string): string => {
    const found = pattern.exec(stdout)?.[1]
    if (found === undefined)
      throw new DecodeError({source: 'virsh version', path, expected: 'a line with a version number'})
    return found
  }
  return {
    daemon: field(/^Running against daemon: ([\d.]+)$/m, 'daemon'),
    hypervisor: field(/^Running hypervisor: QEMU ([\d.]+)$/m, 'hypervisor'),
  }
}

/**
 * Whether virsh failed because there is no such domain.
 *
 * @param stderr any part that holds the first line
 * @see libvirt tools/virsh-util.c, virshLookupDomainInternal
 */
export function isNoDomain(stderr: string): boolean {
  return /failed to get domain|[Dd]omain not found|no domain with matching/.test(stderr)
}

/** Whether `destroy` failed because the domain is not running, which is as good as destroyed. */
export function isNotRunning(stderr: string): boolean {
  return /domain is not running/.test(stderr)
}
