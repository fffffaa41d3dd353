import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {argvIn, execIn} from '../../src/lab/index.js'
import {coloOk, pairFile, removePair, type GuestSpec} from '../support/lab.js'
import type {BareHosts} from './bare-script.js'

/** The pair of these benchmarks, as a file and as the commands that `colo` would send for it. */
export interface BenchPair {
  readonly name: string
  readonly file: string
  /** text of the dry run */
  readonly create: string
  /** where the bare script works; asked anew for each run, since hosts may have been started again */
  readonly hosts: () => Promise<BareHosts>
  readonly remove: () => Promise<void>
}

const guest: GuestSpec = {name: 'bench', model: 'virtio', nics: 1, disks: 1}
const image = `/var/lib/colo/images/${guest.name}-0.qcow2`
const sides = ['alpha', 'beta'] as const

/** @param kind `boots`: the lab's guest; `idle`: its firmware finds nothing to boot, so that its memory stays as it is */
export async function openBenchPair(kind: 'boots' | 'idle'): Promise<BenchPair> {
  const directory = await mkdtemp(join(tmpdir(), 'colo-bench-'))
  const file = join(directory, `${guest.name}.yaml`)
  const text = pairFile(guest)
  await writeFile(file, kind === 'boots' ? text : text.replace(/ {2}kernel:\n( {4}.*\n)+/, ''))
  await removePair(guest.name)
  await blankImages()
  const create = commandsOf(await coloOk(...createArgs(file), '--dry-run'))
  const {members} = (await coloOk('pair', 'xml', '-f', file)) as {members: Array<{host: string; xml: string}>}
  return {
    name: guest.name,
    file,
    // a primary that was never a secondary has no rewriter to put filters in front of
    create: create.replaceAll(/,"insert":"before","position":"id=[^"]*"/g, ''),
    hosts: async () => ({
      pair: guest.name,
      xml: Object.fromEntries(members.map(({host, xml}) => [host, unmarked(xml)])),
      inits: await inits(),
    }),
    remove: async () => {
      await removePair(guest.name)
      await rm(directory, {recursive: true, force: true})
    },
  }
}

/** Without the mark of a copy, since libvirt's hook lets nobody but an agent start one; it still runs, for this guest, too. */
function unmarked(xml: string): string {
  const plain = xml.replace(/ {2}<metadata>\s*<colo:pair [^>]*\/>\s*<\/metadata>\n/, '')
  if (plain === xml) throw new Error('the XML has no mark of a pair where it was expected')
  return plain
}

/** The images exist on both sides and are not made anew by either way of creating. */
export function createArgs(file: string): string[] {
  return ['pair', 'create', '-f', file, '--yes', '--force', 'image-secondary']
}

/** The text of a dry run's document. */
export function commandsOf(document: Record<string, unknown>): string {
  const {commands} = document['plan'] as {commands?: string}
  if (commands === undefined) throw new Error('the dry run has no commands')
  return commands
}

export async function blankImages(): Promise<void> {
  const make = `rm -f ${image}; qemu-img create -q -f qcow2 ${image} 67108864`
  await Promise.all(sides.map((host) => execIn(host, ['sh', '-c', make])))
}

/** What a bare script leaves behind; the colo way is {@link removePair}. */
export async function removeBare(): Promise<void> {
  const {name} = guest
  const tables = `nft list tables | sed -n 's/^table \\(.* colo-.*\\)/delete table \\1/p' | nft -f -`
  const files = `rm -rf /run/colo/pairs/${name} /var/lib/colo/pairs/${name} /run/colo/scratch/${name}-* ${image}`
  const all = `virsh -q destroy ${name} 2>/dev/null; ${tables}; ${files}`
  await Promise.all(sides.map((host) => execIn(host, ['sh', '-c', all], {timeoutMs: 40_000})))
}

/** PID 1 of both hosts, as this process sees them. */
export async function inits(): Promise<Record<string, number>> {
  const entries = sides.map(async (host): Promise<[string, number]> => {
    const argv = await argvIn(host, ['true'])
    return [host, Number(argv[argv.indexOf('--target') + 1])]
  })
  return Object.fromEntries(await Promise.all(entries))
}
