import {createHash} from 'node:crypto'
import {existsSync} from 'node:fs'
import {readFile, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {PreflightError} from '../errors.js'
import type {Argv, Run} from '../os/process.js'
import {cacheEntry} from './cache.js'
import type {Mirror} from './mirror.js'
import type {LabPaths} from './paths.js'
import type {Progress} from './progress.js'

/** What goes into the root file system below all hosts. A change of it makes a new cache entry. */
export const recipe = {
  format: 3,
  suite: 'trixie',
  base: [
    'ca-certificates',
    'iproute2',
    'openssh-server',
    'openssh-client',
    'nodejs',
    'nftables',
    'tcpdump',
    'curl',
    'procps',
    'kmod',
    'iputils-ping',
    'netcat-openbsd',
    'ethtool',
  ],
  backports: ['qemu-system-x86', 'qemu-utils'],
  packages: ['libvirt-daemon-system', 'libvirt-clients', 'libvirt-daemon-driver-qemu', 'libvirt-daemon-system-sysv'],
  /** older ones deadlock under TCG: facts/qemu-colo.md section 14 */
  leastQemu: [11, 1],
} as const

/** Versions of the packages that matter, as Debian writes them. */
export interface RootfsVersions {
  readonly qemu: string
  readonly libvirt: string
  readonly node: string
}

export interface Rootfs {
  readonly directory: string
  readonly key: string
  readonly versions: RootfsVersions
}

const buildMs = 1_200_000

/** Short hash of the recipe: the name of the cache entry. */
export function rootfsKey(): string {
  return createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 12)
}

/**
 * The root file system from the cache, or built now. Mounts made on the way live in the build's own mount namespace.
 *
 * @throws {ToolError} when debootstrap or apt fails
 * @throws {PreflightError} when the packages are older than the lab needs
 */
export async function ensureRootfs(context: {
  run: Run
  paths: LabPaths
  progress: Progress
  mirror: () => Promise<Mirror>
}): Promise<Rootfs> {
  const {run, paths, progress} = context
  const key = rootfsKey()
  const directory = await cacheEntry(paths.cache, `rootfs-${key}`, async (building) => {
    const mirror = await context.mirror()
    await progress.step('root file system: debootstrap', () => bootstrap({run, mirror, building}))
    await progress.step('root file system: QEMU and libvirt', () => installPackages({run, mirror, building}))
  })
  const versions = versionsIn(await readFile(join(directory, 'var/lib/dpkg/status'), 'utf8'))
  requireQemu(versions.qemu)
  return {directory, key, versions}
}

/** Keeps the mounts and processes of a build to itself: they end with it. */
export function contained(argv: Argv): Argv {
  return ['unshare', '--mount', '--pid', '--ipc', '--fork', '--kill-child', ...argv]
}

/** The versions recorded in a dpkg status file. */
export function versionsIn(status: string): RootfsVersions {
  const versionOf = (name: string): string => {
    const paragraph = status.split('\n\n').find((text) => text.startsWith(`Package: ${name}\n`)) ?? ''
    return /^Version: (.*)$/m.exec(paragraph)?.[1] ?? 'none'
  }
  return {qemu: versionOf('qemu-system-x86'), libvirt: versionOf('libvirt-daemon'), node: versionOf('nodejs')}
}

async function bootstrap(at: {run: Run; mirror: Mirror; building: string}): Promise<void> {
  const argv = contained([
    'debootstrap',
    '--variant=minbase',
    ...keyring(),
    `--include=${recipe.base.join(',')}`,
    recipe.suite,
    at.building,
    at.mirror.uri,
  ])
  const env = at.mirror.httpProxy === undefined ? {} : {http_proxy: at.mirror.httpProxy}
  await at.run(argv, {timeoutMs: buildMs, env})
}

/** Debian's own keys, so that every package is checked. Debootstrap finds no keyring on some derivatives. */
function keyring(): string[] {
  const file = '/usr/share/keyrings/debian-archive-keyring.gpg'
  return existsSync(file) ? [`--keyring=${file}`] : []
}

async function installPackages({run, mirror, building}: {run: Run; mirror: Mirror; building: string}): Promise<void> {
  const apt = join(building, 'etc/apt')
  await writeFile(join(apt, 'sources.list.d/backports.list'), `deb ${mirror.uri} ${recipe.suite}-backports main\n`)
  await writeFile(join(apt, 'apt.conf.d/99colo-lab'), mirror.aptConf)
  await writeFile(
    join(building, 'etc/dpkg/dpkg.cfg.d/colo-lab'),
    'force-unsafe-io\npath-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\n',
  )
  const policy = join(building, 'usr/sbin/policy-rc.d')
  await writeFile(policy, '#!/bin/sh\nexit 101\n', {mode: 0o755})
  const inside = (...argv: [string, ...string[]]): Promise<unknown> =>
    run(contained(['chroot', building, ...argv]), {timeoutMs: buildMs, env: {DEBIAN_FRONTEND: 'noninteractive'}})
  const install = ['apt-get', 'install', '-y', '-qq', '--no-install-recommends'] as const
  await inside('apt-get', 'update', '-qq')
  await inside(...install, '-t', `${recipe.suite}-backports`, ...recipe.backports)
  await inside(...install, ...recipe.packages)
  await inside('apt-get', 'clean')
  await rm(policy)
}

function requireQemu(version: string): void {
  const [major = 0, minor = 0] = version
    .replace(/^\d+:/, '')
    .split('.')
    .map((part) => Number.parseInt(part, 10))
  const [leastMajor, leastMinor] = recipe.leastQemu
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return
  throw new PreflightError(
    'lab-qemu',
    `the lab's QEMU is ${version}, but COLO under TCG needs ${leastMajor}.${leastMinor} or later`,
    {
      hint: `use a mirror whose ${recipe.suite}-backports has it (COLO_LAB_MIRROR), and remove the cached root file system`,
    },
  )
}
