import type {Argv} from '../os/process.js'

/*
 * Domains are named by their number once they run: xl takes a name of digits for a number, and during protection on one host there are
 * two domains of nearly the same name.
 */

/** Creates a domain that does not run yet. xl keeps a process that destroys the domain when it has ended. */
export const createArgv = (configFile: string): Argv => ['xl', 'create', '-p', configFile]
/** Parses a configuration, as JSON; nothing is created. */
export const checkArgv = (configFile: string): Argv => ['xl', 'create', '-n', configFile]
export const pauseArgv = (domid: number): Argv => ['xl', 'pause', String(domid)]
export const unpauseArgv = (domid: number): Argv => ['xl', 'unpause', String(domid)]
/** Ends it at once; its device model too. */
export const destroyArgv = (domid: number): Argv => ['xl', 'destroy', String(domid)]
/** Asks the guest to power off: PV control, else the ACPI button. */
export const shutdownArgv = (domid: number): Argv => ['xl', 'shutdown', '-F', String(domid)]
export const listArgv = (): Argv => ['xl', 'list']
export const infoArgv = (): Argv => ['xl', 'info']
export const renameArgv = (domid: number, name: string): Argv => ['xl', 'rename', String(domid), name]
/** One command of the device model's human monitor; silent when it succeeded. */
export const monitorArgv = (domid: number, command: string): Argv => [
  'xl',
  'qemu-monitor-command',
  String(domid),
  command,
]

/** The filters that stay in a copy that took over and would drop its packets; the rewriter stays, live connections need it. */
export const takeoverMonitorCommands = ['object_del rs2', 'object_del rs1'] as const
