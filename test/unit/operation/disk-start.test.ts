import assert from 'node:assert/strict'
import DiskClean from '../../../commands/disk/clean.js'
import Start from '../../../commands/pair/start.js'
import {nextGeneration} from '../../../src/pair/generation.js'
import {memberOf, recordOf} from '../../support/pair-fixtures.js'
import {suite} from '../../support/suite.js'
import {runCommand} from '../cli/run-command.js'
import {scripted} from '../cli/scripted-agents.js'

const test = suite('overlays: kept while anything may be in them')

test('disk clean leaves the overlays of a QEMU that does not answer', async () => {
  const disks = memberOf('secondary').disks.map((disk) => ({...disk, overlays: false}))
  const hung = memberOf('secondary', {qmp: 'hung', vm: undefined, disks})
  const agents = scripted({alpha: {member: memberOf('primary')}, beta: {member: hung}})
  const {exit, stderr} = await runCommand(agents.wire(DiskClean), ['web1'])
  assert.equal(exit, 5)
  assert.match(stderr, /beta does not say whether it uses its overlays/)
  assert.ok(!agents.calls.some((call) => call.endsWith('steps.run')))
})

const generation = nextGeneration(recordOf('primary').generation, 'gen-2')
const marks = {incomplete: {why: 'commit', detail: 'merging'}} as const
const down = {
  alpha: {},
  beta: {
    member: memberOf('secondary', {
      record: recordOf('secondary', {role: 'primary', alone: true, generation, marks}),
      domain: 'absent',
      qmp: 'absent',
      vm: undefined,
    }),
  },
} as const

test('a start merges the overlays; only a named word starts without them', async () => {
  const plan = async (...args: string[]) =>
    (await runCommand(scripted(down).wire(Start), ['web1', '--dry-run', ...args])).stdout
  assert.match(await plan(), /qemu-img commit/)
  assert.doesNotMatch(await plan('--force', 'overlays-lost'), /qemu-img commit/)
  const asked: string[] = []
  const ask = async (text: string): Promise<string> => {
    asked.push(text)
    return 'no'
  }
  const refused = await runCommand(scripted(down).wire(Start, ask), ['web1', '--force', 'overlays-lost'])
  assert.equal(refused.exit, 22, refused.stderr)
  assert.match(asked.join(), /is lost/)
})

test.run()
