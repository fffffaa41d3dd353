import type {Argv} from '../../os/process.js'
import type {ConnectionSpec} from '../../pair/inventory.js'

export type SshTarget = Extract<ConnectionSpec, {kind: 'ssh'}>

/** Seconds `ssh` may take for TCP and the banner; the whole step has its own, wider limit. */
const CONNECT_SECONDS = 3
/** A master without connections ends itself after this many seconds, so none is ever left behind. */
const PERSIST_SECONDS = 60
/** Between two probes of the peer, and how many may stay unanswered. */
const ALIVE_SECONDS = 2
const ALIVE_COUNT = 2

export interface MasterFiles {
  readonly control: string
  readonly socket: string
  readonly log: string
}

/**
 * Starts a control connection that goes to the background once it is up, with the agent's socket forwarded to
 * `files.socket`. What ssh has to say goes to `files.log`: a background master would otherwise hold standard error
 * open for as long as it lives.
 *
 * A dead peer is noticed after two unanswered probes (4-6 s); the master then ends by itself. A slow host has its `answerTimeout` for that, as
 * for the banner.
 *
 * @see ssh(1) -f -N -L -E; ssh_config(5) ControlPersist, ServerAliveInterval, StreamLocalBindUnlink
 */
export function masterArgv(
  target: SshTarget,
  files: MasterFiles,
  remoteSocket: string,
  {
    configFile,
    answerTimeoutMs = 0,
  }: {readonly configFile?: string | undefined; readonly answerTimeoutMs?: number | undefined} = {},
): Argv {
  const answerSeconds = Math.ceil(answerTimeoutMs / 1000)
  return [
    'ssh',
    ...(configFile === undefined ? [] : ['-F', configFile]),
    '-fNT',
    ...option('BatchMode', 'yes'),
    ...option('ConnectTimeout', String(Math.max(CONNECT_SECONDS, answerSeconds))),
    ...option('ConnectionAttempts', '1'),
    ...option('ControlMaster', 'yes'),
    ...option('ControlPath', files.control),
    ...option('ControlPersist', String(PERSIST_SECONDS)),
    ...option('ServerAliveInterval', String(ALIVE_SECONDS)),
    ...option('ServerAliveCountMax', String(Math.max(ALIVE_COUNT, Math.ceil(answerSeconds / ALIVE_SECONDS)))),
    ...option('StreamLocalBindUnlink', 'yes'),
    ...option('StreamLocalBindMask', '0177'),
    ...option('ExitOnForwardFailure', 'no'),
    ...option('ForwardAgent', 'no'),
    ...option('ForwardX11', 'no'),
    ...option('PermitLocalCommand', 'no'),
    ...option('LogLevel', 'ERROR'),
    '-E',
    files.log,
    '-L',
    `${files.socket}:${remoteSocket}`,
    ...destination(target),
  ]
}

/** Fails when the master behind a control socket is gone. */
export function checkArgv(control: string, target: SshTarget): Argv {
  return ['ssh', '-F', 'none', '-O', 'check', ...option('ControlPath', control), ...destination(target)]
}

/** What to type to see the same failure by hand. */
export function sshByHand(target: SshTarget, configFile?: string): string {
  const user = target.user === undefined ? '' : `${target.user}@`
  const port = target.port === undefined ? '' : `-p ${target.port} `
  return `ssh ${configFile === undefined ? '' : `-F ${configFile} `}${port}${user}${target.address}`
}

/** How known_hosts names the target. @see sshd(8), SSH_KNOWN_HOSTS FILE FORMAT */
export function knownHostsName({address, port}: SshTarget): string {
  return port === undefined || port === 22 ? address : `[${address}]:${port}`
}

function destination(target: SshTarget): string[] {
  return [
    ...(target.port === undefined ? [] : ['-p', String(target.port)]),
    ...(target.user === undefined ? [] : ['-l', target.user]),
    '--',
    target.address,
  ]
}

function option(name: string, value: string): string[] {
  return ['-o', `${name}=${value}`]
}
