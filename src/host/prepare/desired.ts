import type {HostEntry} from '../../pair/inventory.js'

/** The line every file of ours begins with, after a comment sign: what has it may be replaced, what has not is somebody else's. */
export const ownMark = 'colo: made by "colo host prepare"'

export interface WantedDirectory {
  readonly path: string
  /** octal number */
  readonly mode: number
  /** the administrator's own choice: where it exists it stays as it is */
  readonly chosen?: boolean
}

export interface WantedFile {
  readonly path: string
  readonly mode: number
  readonly text: string
  readonly why: string
}

/** Everything a host needs beside colo itself. */
export interface Wanted {
  /** programs, and the Debian packages that have them */
  readonly tools: Readonly<Record<string, string>>
  readonly directories: readonly WantedDirectory[]
  readonly files: readonly WantedFile[]
  /** units to enable and start, in this order */
  readonly units: readonly string[]
  /** QEMU opens taps of its own: the inventory names NICs for kernel forwarding */
  readonly tun: boolean
}

/** Texts of the packaged templates. */
export interface PrepareTemplates {
  readonly hook: string
  readonly agentUnit: string
  readonly drainUnit: string
  readonly logrotate: string
}

/** Where AppArmor's rules for QEMU take additions from on this host; undefined without AppArmor's files. */
export type AppArmorPlace = 'directory' | 'local' | undefined

export const appArmorBase = '/etc/apparmor.d/abstractions/libvirt-qemu'

const tools = {
  virsh: 'libvirt-clients',
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-img': 'qemu-utils',
  nft: 'nftables',
  ip: 'iproute2',
  logrotate: 'logrotate',
} as const

/** libvirt's daemon lies where no PATH leads on some systems; its package brings this file. */
export const libvirtMark = '/etc/libvirt/qemu.conf'

export type Directories = Pick<HostEntry, 'images' | 'scratch'> & Partial<Pick<HostEntry, 'forward'>>

export const defaultDirectories: Directories = {images: '/var/lib/colo/images', scratch: '/run/colo/scratch'}

/** What a host with these directories needs. Pure. */
export function wantedOn(at: Directories, templates: PrepareTemplates, appArmor: AppArmorPlace): Wanted {
  const directories = [
    {path: '/etc/colo', mode: 0o755},
    {path: '/var/lib/colo', mode: 0o711},
    {path: '/var/lib/colo/pairs', mode: 0o700},
    {path: '/var/log/colo', mode: 0o700},
    {path: '/run/colo', mode: 0o711},
    {path: '/run/colo/pairs', mode: 0o711},
    {path: '/run/colo/starts', mode: 0o700},
    {path: at.images, mode: 0o711, chosen: at.images !== defaultDirectories.images},
    {path: at.scratch, mode: 0o711, chosen: at.scratch !== defaultDirectories.scratch},
  ]
  return {
    tools,
    directories: directories.filter(({path}, index) => directories.findIndex((other) => other.path === path) === index),
    files: [
      file('/etc/libvirt/hooks/qemu.d/colo', 0o755, templates.hook, 'libvirt hook: only colo starts copies of pairs'),
      file('/etc/systemd/system/colo-agent.service', 0o644, templates.agentUnit, 'systemd unit of the agent'),
      file(
        '/etc/systemd/system/colo-drain.service',
        0o644,
        templates.drainUnit,
        'systemd unit that drains at shutdown',
      ),
      file('/etc/logrotate.d/colo', 0o644, templates.logrotate, 'rotation of the audit log'),
      file('/etc/tmpfiles.d/colo.conf', 0o644, tmpfilesText(directories), 'directories in memory, made at each boot'),
      ...(appArmor === undefined
        ? []
        : [file(appArmorFile(appArmor), 0o644, appArmorText(at), 'AppArmor: QEMU may use the directories of pairs')]),
    ],
    units: ['colo-agent.service', 'colo-drain.service'],
    tun: at.forward !== undefined && at.forward.length > 0,
  }
}

/** How the rules that libvirt ships ask for additions. */
export function appArmorPlaceOf(abstraction: string | undefined): AppArmorPlace {
  if (abstraction === undefined) return undefined
  if (/^\s*#?include if exists <abstractions\/libvirt-qemu\.d>/m.test(abstraction)) return 'directory'
  return /^\s*#?include (if exists )?<local\/abstractions\/libvirt-qemu>/m.test(abstraction) ? 'local' : undefined
}

function appArmorFile(place: 'directory' | 'local'): string {
  return place === 'directory' ? `${appArmorBase}.d/colo` : '/etc/apparmor.d/local/abstractions/libvirt-qemu'
}

/**
 * libvirt gives QEMU a profile of the files named in the guest's definition. Those of a pair are QEMU's own arguments, which it does not
 * read, so exactly these directories are added.
 */
export function appArmorText({images, scratch}: Directories): string {
  return `# ${ownMark}, which replaces it.
# Not run under AppArmor by colo's own tests: their kernel has none. Lets QEMU at exactly the directories of pairs.
  ${images}/** rwk,
  ${scratch}/** rwk,
  /run/colo/pairs/*/ rw,
  /run/colo/pairs/** rwk,
`
}

function tmpfilesText(directories: readonly WantedDirectory[]): string {
  const lines = directories
    .filter(({path}) => path.startsWith('/run/'))
    .map(({path, mode}) => `d ${path} ${octal(mode)} root root -`)
  return `# ${ownMark}, which replaces it.\n${lines.join('\n')}\n`
}

function file(path: string, mode: number, text: string, why: string): WantedFile {
  return {path, mode, text, why}
}

export function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}
