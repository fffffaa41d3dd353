import {formatBytes} from '../../ui/bytes.js'
import type {HostEntry} from '../../pair/inventory.js'
import {pass, warn, type Check} from '../check.js'
import type {HostFacts} from '../facts.js'

/** What is left of a host for a further pair: its memory against what its pairs hold, its ports, the place of its images. */

/** Memory below which no useful guest fits, in bytes. */
const leastMemory = 256 * 1024 ** 2
/** A pair with one NIC takes four ports. */
const leastPorts = 4

export function checkHostMemory(facts: HostFacts, entry: HostEntry): Check[] {
  const {host, memory, committedMemoryBytes} = facts
  const about = {id: 'memory', host}
  const limit = entry.limits.memoryBytes ?? memory.totalBytes
  const left = Math.min(limit - committedMemoryBytes, memory.availableBytes)
  const message = `${formatBytes(memory.availableBytes)} available; its pairs hold ${formatBytes(committedMemoryBytes)} of ${formatBytes(limit)}`
  if (left >= leastMemory) return [pass(about, message)]
  return [
    warn(about, message, 'a secondary needs twice the memory of its guest: end something here, or use another host'),
  ]
}

export function checkHostPorts(facts: HostFacts, entry: HostEntry): Check[] {
  const {from, to} = entry.ports
  const taken = new Set([...facts.listening, ...facts.allotted.flatMap(({ports}) => ports)])
  // the first port of the range is the beacon's
  const free = Array.from({length: to - from}, (_, n) => from + 1 + n).filter((port) => !taken.has(port)).length
  const about = {id: 'ports', host: facts.host}
  const message = `${free} of ${to - from} ports in ${from}-${to} are free`
  return free >= leastPorts
    ? [pass(about, message)]
    : [warn(about, message, `widen \`ports\` of ${entry.name} in hosts.yaml, or end pairs that are not needed`)]
}

export function checkHostImages(facts: HostFacts, entry: HostEntry): Check[] {
  const about = {id: 'images', host: facts.host}
  const directory = facts.images.find((image) => image.directory?.path === entry.images)?.directory
  if (directory?.exists === true) {
    return [pass(about, `${entry.images}: ${formatBytes(directory.availableBytes)} free`)]
  }
  return [warn(about, `${entry.images} does not exist`, `install -d -m 0711 ${entry.images}`)]
}
