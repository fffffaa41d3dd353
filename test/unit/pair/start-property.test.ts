import assert from 'node:assert/strict'
import fc from 'fast-check'
import {suite} from '../../support/suite.js'
import {TwoHosts, type Happening} from '../../support/two-hosts.js'

const test = suite('start rules: whatever happens')

test('no sequence of events starts a copy that lacks an acknowledged write, nor lets two copies be heard (S1, S4)', () => {
  let starts = 0
  let rejoins = 0
  const choices = fc.array(fc.nat({max: 9999}), {minLength: 20, maxLength: 60, size: 'max'})
  fc.assert(
    fc.property(fc.constantFrom('protected', 'created'), choices, (begun, numbers) => {
      const world = new TwoHosts(begun)
      const story: Happening[] = []
      for (const number of numbers) {
        const {possible} = world
        const event = possible[number % possible.length]!
        story.push(event)
        world.happen(event)
        const told = story.map((each) => Object.values(each).join(' ')).join(', ')
        assert.deepEqual(world.wrong, [], told)
      }
      starts += world.starts
      rejoins += world.rejoins
    }),
    {numRuns: 600},
  )
  assert.ok(rejoins > 50, `only ${rejoins} copies joined again after a boot: the property says little`)
  assert.ok(starts > 600, `only ${starts} starts were seen: the property says little`)
})

test.run()
