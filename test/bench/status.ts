import {execIn} from '../../src/lab/index.js'
import {createPair, removePair} from '../support/lab.js'
import {pairwise, type Report} from './harness.js'

const pair = 'bench'
const rounds = 20

/** `colo pair status --json` on a host of the pair, against the least a Node program takes and against libvirt's own question. */
export async function measure(): Promise<Report> {
  await createPair({name: pair, model: 'virtio', nics: 1, disks: 1})
  try {
    const node = ['env', '-C', '/usr/lib/colo', 'node', '--import', 'tsx'] as const
    const loop = [...node, 'test/bench/status-loop.ts', pair, String(rounds)] as const
    const {stdout} = await execIn('alpha', loop, {timeoutMs: 90_000})
    const taken = JSON.parse(stdout) as Record<'node' | 'virsh' | 'status' | 'version' | 'cpuRatio', number[]>
    return {
      title: 'colo pair status --json',
      rows: [
        {what: 'status / node -e 0', unit: '×', values: pairwise(taken.status, taken.node), target: {atMost: 3}},
        {what: 'status / node -e 0, processor time of all rounds', unit: '×', values: taken.cpuRatio},
        {what: 'status / virsh domstate', unit: '×', values: pairwise(taken.status, taken.virsh)},
        {what: 'colo --version / node -e 0', unit: '×', values: pairwise(taken.version, taken.node)},
        {what: 'colo pair status --json', unit: 'ms', values: taken.status},
        {what: 'colo --version', unit: 'ms', values: taken.version},
        {what: 'node -e 0', unit: 'ms', values: taken.node},
        {what: 'virsh domstate', unit: 'ms', values: taken.virsh},
      ],
      notes: [
        "run on alpha: its own agent over the socket, beta's and gamma's over the shared ssh connection, which is open from the first",
        'round on. The answer is about both members; virsh looks at one domain of one host.',
      ],
    }
  } finally {
    await removePair(pair)
  }
}
