import {mkdtemp, open, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {ToolError} from '../../errors.js'
import type {Argv, Run} from '../../os/process.js'
import type {HostFacts} from '../facts.js'

/** TCG needs half a second for the same. */
const BOOT_MS = 5000
/** What the guest writes to the exit device; QEMU ends with twice that plus one. */
const TOKEN = 0x21
const EXIT_STATUS = TOKEN * 2 + 1

let answer: {readonly binary: string; readonly kvm: HostFacts['kvm']} | undefined

/**
 * Whether KVM runs a guest, seen with a real one: nested or paravirtual KVM may open, and yet not boot in usable time.
 * The answer is kept for as long as this process lives.
 *
 * @see facts/lab.md 5
 */
export async function probeKvm(run: Run, binary: string | undefined): Promise<HostFacts['kvm']> {
  const opened = await openKvm()
  if (opened !== 'usable' || binary === undefined) return opened
  if (answer?.binary !== binary) answer = {binary, kvm: await bootGuest(run, binary)}
  return answer.kvm
}

async function openKvm(): Promise<HostFacts['kvm']> {
  try {
    const device = await open('/dev/kvm', 'r+')
    await device.close()
    return 'usable'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'absent' : 'unusable'
  }
}

async function bootGuest(run: Run, binary: string): Promise<HostFacts['kvm']> {
  const directory = await mkdtemp(join(tmpdir(), 'colo-kvm-'))
  try {
    const image = join(directory, 'boot.img')
    await writeFile(image, bootSector())
    await run(kvmProbeArgv(binary, image), {timeoutMs: BOOT_MS})
    return 'unusable'
  } catch (error) {
    if (!(error instanceof ToolError)) throw error
    return error.failure.kind === 'exit' && error.failure.status === EXIT_STATUS ? 'usable' : 'unusable'
  } finally {
    await rm(directory, {recursive: true, force: true})
  }
}

export function kvmProbeArgv(binary: string, image: string): Argv {
  return [
    binary,
    '-no-user-config',
    '-nodefaults',
    '-display',
    'none',
    '-machine',
    'pc,accel=kvm',
    '-m',
    '16',
    '-device',
    'isa-debug-exit,iobase=0xf4,iosize=4',
    '-drive',
    `file=${image},format=raw,if=ide`,
  ]
}

/** A guest of 17 bytes: counts down from 2^26, so that an emulating KVM is seen as one, then writes the token. */
export function bootSector(): Uint8Array {
  const sector = new Uint8Array(512)
  sector.set([
    ...[0x66, 0xb9, 0x00, 0x00, 0x00, 0x04], // mov ecx, 0x04000000
    ...[0x66, 0x49], // dec ecx
    ...[0x75, 0xfc], // jnz -4
    ...[0xb0, TOKEN], // mov al, TOKEN
    ...[0xe6, 0xf4], // out 0xf4, al
    ...[0xf4], // hlt
    ...[0xeb, 0xfd], // jmp -3
  ])
  sector.set([0x55, 0xaa], 510)
  return sector
}
