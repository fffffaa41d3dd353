import type {QemuFacts} from './facts.js'
import {compareVersions, parseVersion, type Version} from './version.js'

/** The machine type a pair runs on, or why there is none. */
export type MachineChoice = {readonly machine: string} | {readonly problem: string}

const families: Readonly<Record<string, string>> = {pc: 'pc-i440fx-', q35: 'pc-q35-'}

/**
 * The machine type for both members: a versioned one, because `pc` may mean another one on the other host or after
 * an update, and both copies must have the same guest ABI for as long as the pair lives.
 *
 * @param wanted `pc`, `q35`: the newest version both know; else exactly this one
 */
export function chooseMachine(
  wanted: string,
  a: Pick<QemuFacts, 'machines'>,
  b: Pick<QemuFacts, 'machines'>,
): MachineChoice {
  const common = a.machines.filter((machine) => b.machines.includes(machine))
  const prefix = families[wanted]
  if (prefix === undefined) {
    if (common.includes(wanted)) return {machine: wanted}
    const known =
      a.machines.includes(wanted) || b.machines.includes(wanted) ? 'only one of the hosts knows' : 'neither host knows'
    return {problem: `${known} machine type ${wanted}`}
  }
  const newest = common
    .map((machine) => ({machine, version: versionOf(machine, prefix)}))
    .filter((entry): entry is {machine: string; version: Version} => entry.version !== undefined)
    .sort((one, other) => compareVersions(other.version, one.version))[0]
  if (newest !== undefined) return {machine: newest.machine}
  return {problem: `the hosts have no version of machine type ${wanted} in common`}
}

/** Machine types of distributions (`pc-i440fx-jammy`, `pc-i440fx-rhel7.6.0`) are chosen only by name. */
function versionOf(machine: string, prefix: string): Version | undefined {
  const rest = machine.startsWith(prefix) ? machine.slice(prefix.length) : ''
  return /^\d+(\.\d+)+$/.test(rest) ? parseVersion(rest) : undefined
}
