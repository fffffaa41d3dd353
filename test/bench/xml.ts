import {spawnSync} from 'node:child_process'
import {parseXml} from '../../src/libvirt/xml.js'
import {buildMemberXml} from '../../src/libvirt/member-xml.js'
import {memberCases, memberInput} from '../support/member-cases.js'
import {alternate, pairwise, type Report} from './harness.js'

const domains = 1000
const rounds = 7

/** The XML of 1,000 members with two disks and two NICs each, template read and checked anew for each. */
export async function measure(): Promise<Report> {
  const example = memberCases.find(({name}) => name === 'two-virtio')
  if (example === undefined) throw new Error('no case two-virtio')
  const inputs = [memberInput(example, 'primary'), memberInput(example, 'secondary')] as const
  const tree = parseXml(buildMemberXml(inputs[1]), {source: 'bench', root: 'domain'})
  const taken = await alternate(
    {
      build: () => times((n) => buildMemberXml(inputs[n % 2 === 0 ? 0 : 1]).length),
      json: () => times(() => (JSON.parse(JSON.stringify(tree)) as object) && 1),
      node: () => Promise.resolve(spawnSync(process.execPath, ['-e', '0'])),
    },
    {rounds, budgetMs: 30_000},
  )
  return {
    title: 'domain XML, 1,000 members',
    rows: [
      {what: '1,000 × buildMemberXml / one node -e 0', unit: '×', values: pairwise(taken.build, taken.node)},
      {
        what: 'buildMemberXml / JSON of the same tree, out and in',
        unit: '×',
        values: pairwise(taken.build, taken.json),
      },
      {what: 'members built', unit: '/s', values: taken.build.map((ms) => (domains * 1000) / ms)},
      {what: '1,000 members', unit: 'ms', values: taken.build},
    ],
  }
}

async function times(body: (n: number) => number): Promise<number> {
  let sum = 0
  for (let n = 0; n < domains; n++) sum += body(n)
  return sum
}
