import {ConfigProblems} from '../../../src/config/report.js'

/** A spec in which each line can be replaced or have lines after it. */
export const goodPair = `apiVersion: colo/v1
kind: Pair
name: web1
hosts: {primary: alpha, secondary: beta}
vm:
  memory: 128MiB
  vcpus: 2
disks:
  - name: root
    image: /img/web1.qcow2
    size: 1GiB
  - name: data
    image: {alpha: /img/a.raw, beta: /img/b.raw}
    format: raw
    size: 64MiB
nics:
  - name: net0
    mac: 52:54:00:12:34:56
    bridge: br0
  - name: net1
    mac: 52:54:00:12:34:57
    bridge: br1
checkpoint: {interval: 1s}
`

export const goodHosts = `apiVersion: colo/v1
kind: Hosts
hosts:
  alpha: {connection: local, replication: 10.88.0.1}
  beta:
    connection: ssh://root@10.99.0.2:22
    replication: 10.88.0.2
`

/** `replace('a', 'b')` edits a sample; a text that is not there is a mistake of the test. */
export function edit(sample: string, from: string, to: string): string {
  if (!sample.includes(from)) throw new Error(`the sample does not contain ${from}`)
  return sample.replace(from, () => to)
}

/** What a parse of `text` reports. */
export function problemsOf(parse: () => unknown): ConfigProblems {
  try {
    parse()
  } catch (error) {
    if (error instanceof ConfigProblems) return error
    throw error
  }
  throw new Error('accepted')
}
