/** Types and flags. @see elf(5) */
const elf = {progbits: 1, symtab: 2, strtab: 3, alloc: 2, executable: 4, machineBpf: 247, globalFunction: 0x12} as const
const HEADER_BYTES = 64
const SECTION_BYTES = 64

interface Section {
  readonly name: string
  readonly type: number
  readonly flags: number
  readonly body: Buffer
  readonly link?: number
  readonly info?: number
  readonly entryBytes?: number
}

/**
 * An object file as a compiler would make it, with one program in a section of its own: the form in which `tc` takes programs.
 *
 * @param program `section` names the section and the function; `license` decides which helpers the kernel lets it call
 */
export function bpfObject({section, code, license}: {section: string; code: Buffer; license: string}): Buffer {
  const names = strings(['', '.strtab', section, 'license', '.symtab'])
  const sections: Section[] = [
    {name: '', type: 0, flags: 0, body: Buffer.alloc(0)},
    {name: '.strtab', type: elf.strtab, flags: 0, body: names.table},
    {name: section, type: elf.progbits, flags: elf.alloc | elf.executable, body: code},
    {name: 'license', type: elf.progbits, flags: elf.alloc, body: Buffer.from(`${license}\0`)},
    {
      name: '.symtab',
      type: elf.symtab,
      flags: 0,
      body: Buffer.concat([symbol(0, 0, 0, 0), symbol(names.at(section), elf.globalFunction, 2, code.length)]),
      link: 1,
      info: 1,
      entryBytes: 24,
    },
  ]
  const offsets: number[] = []
  let end = HEADER_BYTES
  for (const {body} of sections) {
    offsets.push(end)
    end += Math.ceil(body.length / 8) * 8
  }
  const file = Buffer.alloc(end + sections.length * SECTION_BYTES)
  header(end, sections.length).copy(file)
  sections.forEach((each, index) => {
    const at = offsets[index] ?? 0
    each.body.copy(file, at)
    sectionHeader(each, {at, name: names.at(each.name)}).copy(file, end + index * SECTION_BYTES)
  })
  return file
}

function strings(words: readonly string[]): {readonly table: Buffer; at: (word: string) => number} {
  const text = words.map((word) => `${word}\0`).join('')
  return {table: Buffer.from(text), at: (word) => (word === '' ? 0 : text.indexOf(`\0${word}\0`) + 1)}
}

function header(sectionsAt: number, count: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).copy(bytes) // 64 bits, little-endian
  bytes.writeUInt16LE(1, 16) // relocatable
  bytes.writeUInt16LE(elf.machineBpf, 18)
  bytes.writeUInt32LE(1, 20)
  bytes.writeBigUInt64LE(BigInt(sectionsAt), 40)
  bytes.writeUInt16LE(HEADER_BYTES, 52)
  bytes.writeUInt16LE(SECTION_BYTES, 58)
  bytes.writeUInt16LE(count, 60)
  bytes.writeUInt16LE(1, 62) // section names are in .strtab
  return bytes
}

function sectionHeader(section: Section, {at, name}: {readonly at: number; readonly name: number}): Buffer {
  const bytes = Buffer.alloc(SECTION_BYTES)
  bytes.writeUInt32LE(name, 0)
  bytes.writeUInt32LE(section.type, 4)
  bytes.writeBigUInt64LE(BigInt(section.flags), 8)
  bytes.writeBigUInt64LE(BigInt(at), 24)
  bytes.writeBigUInt64LE(BigInt(section.body.length), 32)
  bytes.writeUInt32LE(section.link ?? 0, 40)
  bytes.writeUInt32LE(section.info ?? 0, 44)
  bytes.writeBigUInt64LE(8n, 48)
  bytes.writeBigUInt64LE(BigInt(section.entryBytes ?? 0), 56)
  return bytes
}

function symbol(name: number, info: number, section: number, size: number): Buffer {
  const bytes = Buffer.alloc(24)
  bytes.writeUInt32LE(name, 0)
  bytes.writeUInt8(info, 4)
  bytes.writeUInt16LE(section, 6)
  bytes.writeBigUInt64LE(BigInt(size), 16)
  return bytes
}
