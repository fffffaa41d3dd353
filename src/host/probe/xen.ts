import {ToolError} from '../../errors.js'
import type {Files} from '../../os/files.js'
import type {Run} from '../../os/process.js'
import {parseXlInfo, parseXlList} from '../../xen/read.js'
import {infoArgv, listArgv} from '../../xen/xl.js'
import type {XenFacts} from '../facts.js'
import {probeQemuAmong} from './qemu.js'
import {probeTools} from './services.js'

const libraryDirectories = [
  '/usr/local/lib',
  '/usr/local/lib64',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib64',
  '/usr/lib',
] as const

/** Where distributions, and Xen's own installation, put the device model. */
const deviceModels = [
  '/usr/local/lib/xen/bin/qemu-system-i386',
  '/usr/lib/xen/bin/qemu-system-i386',
  '/usr/libexec/xen-qemu-system-i386',
  '/usr/lib/xen/bin/qemu-system-x86_64',
] as const

/** of the kernel proxy; of Remus's network buffering */
const modules = ['xt_PMYCOLO', 'xt_SECCOLO', 'ifb', 'sch_plug'] as const
const programs = ['nl-qdisc-add', 'mkfifo'] as const
const scripts = ['colo-proxy-setup', 'remus-netbuf-setup'] as const

/**
 * What this host's Xen can do; undefined without xl. xl is only asked, nothing is created.
 *
 * @param timeoutMs  for all of it; an xl that hangs is a fact, and found out in half of it
 */
export async function probeXen(run: Run, files: Files, timeoutMs: number): Promise<XenFacts | undefined> {
  if ((await probeTools(files, ['xl']))['xl'] !== true) return undefined
  // one after the other: xl takes a lock of its own
  const hypervisor = await askHypervisor(run, timeoutMs / 2)
  const domains = 'version' in hypervisor ? await domainNames(run, timeoutMs) : []
  const [libxl, deviceModel, kernel, found, hotplug] = await Promise.all([
    probeLibxl(files),
    probeQemuAmong(deviceModels, run, files, timeoutMs),
    probeModules(run, timeoutMs),
    probeTools(files, programs),
    probeScripts(files),
  ])
  return {hypervisor, domains, libxl, deviceModel, modules: kernel, helpers: {...found, ...hotplug}}
}

async function askHypervisor(run: Run, timeoutMs: number): Promise<XenFacts['hypervisor']> {
  try {
    const {version, virtCaps, freeMemoryBytes} = parseXlInfo((await run(infoArgv(), {timeoutMs})).stdout)
    return {version, virtCaps, freeMemoryBytes}
  } catch (error) {
    return {
      problem: error instanceof ToolError && error.failure.kind === 'exit' ? error.failure.firstLine : firstLine(error),
    }
  }
}

async function domainNames(run: Run, timeoutMs: number): Promise<string[]> {
  const {stdout} = await run(listArgv(), {timeoutMs})
  return parseXlList(stdout).flatMap(({domid, name}) => (domid === 0 ? [] : [name]))
}

/** The newest libxenlight; what it can do is told by what it is linked with, and by the words it has. */
async function probeLibxl(files: Files): Promise<XenFacts['libxl']> {
  for (const directory of libraryDirectories) {
    const names = (await files.list(directory)).filter((name) => /^libxenlight(-[\d.]+)?\.so(\.|$)/.test(name)).sort()
    const name = names.at(-1)
    if (name === undefined) continue
    const path = `${directory}/${name}`
    const content = (await files.readText(path)) ?? ''
    return {
      path,
      libnl: content.includes('libnl-3.so') || content.includes('libnl-route-3.so'),
      coloMissing: content.includes('COLO is not supported'),
    }
  }
  return undefined
}

async function probeModules(run: Run, timeoutMs: number): Promise<XenFacts['modules']> {
  const found = await Promise.all(
    modules.map(async (name) => {
      const there = await run(['modinfo', '-F', 'filename', name], {timeoutMs}).then(
        () => true,
        (error: unknown) => {
          // no answer is no word about the module
          if (error instanceof ToolError && error.failure.kind === 'timed-out') throw error
          return false
        },
      )
      return [name, there] as const
    }),
  )
  return Object.fromEntries(found)
}

async function probeScripts(files: Files): Promise<Record<string, boolean>> {
  const found = await Promise.all(
    scripts.map(async (name) => [name, (await files.stat(`/etc/xen/scripts/${name}`)) !== undefined] as const),
  )
  return Object.fromEntries(found)
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''
}
