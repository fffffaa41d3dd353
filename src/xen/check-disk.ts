import type {ConfigProblem} from './problem.js'

/** One item of `disk = [ ]`. */
export interface Disk {
  readonly colo: boolean
  readonly vdev: string | undefined
  readonly problems: readonly ConfigProblem[]
}

/** @see xen-project/xen tools/libs/util/libxlu_disk_l.l, docs/man/xl-disk-configuration.5.pod.in */
const flags = ['colo', 'no-colo', 'cdrom', 'removable', 'direct-io-safe', 'discard', 'no-discard'] as const
const keys = [
  'format', 'vdev', 'access', 'backendtype', 'backend', 'devtype', 'script',
  'colo-host', 'colo-port', 'colo-export', 'active-disk', 'hidden-disk', 'target',
] as const // prettier-ignore
/** xl refuses these the second time; of the others it takes the last. */
const once = ['vdev', 'target', 'colo-host', 'colo-export', 'active-disk', 'hidden-disk']
const choices: Readonly<Record<string, readonly string[]>> = {
  format: ['raw', 'qcow', 'qcow2', 'vhd', 'qed'],
  access: ['r', 'ro', 'w', 'rw'],
  backendtype: ['phy', 'tap', 'qdisk'],
}

/** Never throws. @param text  as between the quotes */
export function checkDisk(text: string, where: string): Disk {
  const problems: ConfigProblem[] = []
  const wrong = (key: string, problem: string, laxity: boolean): void =>
    void problems.push({where: key === '' ? where : `${where}.${key}`, problem, laxity})
  const values = new Map<string, string>()
  const strays: string[] = []
  let colo = false
  for (const [key, value] of fieldsOf(text)) {
    if (value === undefined) {
      if (key === 'colo' || key === 'no-colo') colo = key === 'colo'
      else if (!flags.some((flag) => flag === key)) strays.push(key)
    } else if (!keys.some((known) => known === key)) wrong(key, 'is unknown', false)
    else if (values.has(key)) wrong(key, 'is given twice', !once.includes(key))
    else values.set(key, value)
  }
  for (const word of strays) {
    // the first one becomes the target, unless there is one
    wrong(word, 'is a stray word: xl takes it for a positional parameter', !values.has('target'))
  }
  for (const [key, allowed] of Object.entries(choices)) {
    const value = values.get(key)
    if (value !== undefined && !allowed.includes(value)) wrong(key, `is none of ${allowed.join(', ')}`, false)
  }
  const vdev = values.get('vdev')
  if (vdev === undefined) wrong('vdev', 'is missing', false)
  else if (!/^((hd|sd|xvd)[a-z]+\d*|d\d+p\d+)$/.test(vdev)) wrong('vdev', 'is no device', true)
  if (!values.get('target') && strays.length === 0 && !text.includes('cdrom')) wrong('target', 'is missing', false)
  const port = values.get('colo-port')
  if (port !== undefined && !(Number.parseInt(port, 10) !== 0 && /^[ +-]?\d/.test(port)))
    wrong('colo-port', 'is not a port', false)
  if (colo) checkColoDisk(values, wrong)
  return {colo, vdev, problems}
}

/** `target` takes what is left, commas included. */
function fieldsOf(text: string): Array<[string, string | undefined]> {
  const fields: Array<[string, string | undefined]> = []
  for (let rest = text.trim(); rest !== '';) {
    const target = /^target=(.*)$/s.exec(rest)
    if (target !== null) return [...fields, ['target', target[1]]]
    const [part = ''] = rest.split(',', 1)
    rest = rest.slice(part.length + 1).trimStart()
    const at = part.indexOf('=')
    fields.push(at < 0 ? [part.trim(), undefined] : [part.slice(0, at).trim(), part.slice(at + 1)])
  }
  return fields
}

function checkColoDisk(
  values: ReadonlyMap<string, string>,
  wrong: (key: string, problem: string, laxity: boolean) => void,
): void {
  for (const key of ['colo-host', 'colo-port', 'colo-export', 'active-disk', 'hidden-disk']) {
    const value = values.get(key)
    // an empty port is refused by xl itself, and told above
    if (value === undefined || (value === '' && key !== 'colo-port')) wrong(key, 'is missing', true)
  }
  const port = values.get('colo-port')
  if (port !== undefined && port !== '' && !isPort(port)) wrong('colo-port', 'is no port from 1 to 65535', true)
  const host = values.get('colo-host')
  if (host && !isIpv4(host)) wrong('colo-host', 'is no IPv4 address', true)
  const name = values.get('colo-export')
  if (name && !/^[A-Za-z][A-Za-z0-9._-]*$/.test(name)) wrong('colo-export', 'is no id of QEMU', true)
  for (const key of ['active-disk', 'hidden-disk', 'target']) {
    const value = values.get(key)
    if (value && !/^\/[^,]*$/.test(value)) wrong(key, 'is no absolute path without commas', true)
  }
  const active = values.get('active-disk')
  if (active && active === values.get('hidden-disk')) wrong('hidden-disk', 'is the active disk, too', true)
  const backend = values.get('backendtype')
  if (backend !== undefined && backend !== 'qdisk') wrong('backendtype', 'must be qdisk', true)
  if (['r', 'ro'].includes(values.get('access') ?? 'rw')) wrong('access', 'must be rw', true)
  if (!/^(hd|xvd)[a-d]$/.test(values.get('vdev') ?? 'hda'))
    wrong('vdev', 'is none of the four IDE disks that COLO replicates', true)
  if (!['raw', 'qcow2'].includes(values.get('format') ?? 'raw')) wrong('format', 'must be raw or qcow2', true)
}

export function isPort(text: string): boolean {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535
}

export function isIpv4(text: string): boolean {
  return /^(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/.test(text)
}
