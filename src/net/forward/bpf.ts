/** Registers: 0 result, 1-5 arguments, 6-9 kept over calls, 10 end of the stack. */
export type Register = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10

/** One instruction; `to` is the label that a jump leads to. */
export interface Instruction {
  readonly code: number
  readonly dst?: Register
  readonly src?: Register
  readonly off?: number
  readonly imm?: number
  readonly to?: string
}

/** A label, or an instruction. */
export type ProgramLine = string | Instruction

/** Instructions of eBPF, as far as our program needs them. @see linux Documentation/bpf/standardization/instruction-set.rst */
export const op = {
  set: (dst: Register, imm: number): Instruction => ({code: 0xb7, dst, imm}),
  copy: (dst: Register, src: Register): Instruction => ({code: 0xbf, dst, src}),
  add: (dst: Register, imm: number): Instruction => ({code: 0x07, dst, imm}),
  and: (dst: Register, imm: number): Instruction => ({code: 0x57, dst, imm}),
  /** sixteen bits between network order and the machine's */
  network16: (dst: Register): Instruction => ({code: 0xdc, dst, imm: 16}),
  load8: (dst: Register, src: Register, off: number): Instruction => ({code: 0x71, dst, src, off}),
  load16: (dst: Register, src: Register, off: number): Instruction => ({code: 0x69, dst, src, off}),
  load32: (dst: Register, src: Register, off: number): Instruction => ({code: 0x61, dst, src, off}),
  store8: (dst: Register, off: number, src: Register): Instruction => ({code: 0x73, dst, src, off}),
  store16: (dst: Register, off: number, src: Register): Instruction => ({code: 0x6b, dst, src, off}),
  store32: (dst: Register, off: number, imm: number): Instruction => ({code: 0x62, dst, off, imm}),
  jumpUnless: (dst: Register, imm: number, to: string): Instruction => ({code: 0x55, dst, imm, to}),
  jumpIfMore: (dst: Register, imm: number, to: string): Instruction => ({code: 0x25, dst, imm, to}),
  jumpIfAbove: (dst: Register, src: Register, to: string): Instruction => ({code: 0x2d, dst, src, to}),
  jumpIfSame: (dst: Register, src: Register, to: string): Instruction => ({code: 0x1d, dst, src, to}),
  call: (helper: keyof typeof helpers): Instruction => ({code: 0x85, imm: helpers[helper]}),
  exit: {code: 0x95} as Instruction,
} as const

/** Numbers of the kernel's helpers, which never change. @see linux include/uapi/linux/bpf.h, ___BPF_FUNC_MAPPER */
const helpers = {storeBytes: 9, replaceIpv4Sum: 10, loadBytes: 26, changeTail: 38, adjustRoom: 50} as const

/** Machine code, little-endian. @throws for a label that is not there */
export function assemble(lines: readonly ProgramLine[]): Buffer {
  const labels = new Map<string, number>()
  const instructions: Instruction[] = []
  for (const line of lines) {
    if (typeof line === 'string') labels.set(line, instructions.length)
    else instructions.push(line)
  }
  return Buffer.concat(instructions.map((each, index) => encode(each, distance(each, index, labels))))
}

function distance({to, off = 0}: Instruction, index: number, labels: ReadonlyMap<string, number>): number {
  if (to === undefined) return off
  const at = labels.get(to)
  if (at === undefined) throw new Error(`no label ${to}`)
  return at - index - 1
}

function encode({code, dst = 0, src = 0, imm = 0}: Instruction, off: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt8(code, 0)
  bytes.writeUInt8(dst | (src << 4), 1)
  bytes.writeInt16LE(off, 2)
  bytes.writeInt32LE(imm, 4)
  return bytes
}
