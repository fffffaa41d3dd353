import assert from 'node:assert/strict'
import {existsSync, readdirSync} from 'node:fs'
import {surfaceOf, type CommandSurface} from '../../../src/cli/surface.js'
import {assertGolden} from '../../support/golden.js'
import {suite} from '../../support/suite.js'
import {problemsOf, readSchema} from '../../unit/cli/json-schema.js'
import {sourceConfig} from '../../../.ci/source-config.js'

const test = suite('surface')
const surface = async (): Promise<readonly CommandSurface[]> => surfaceOf(await sourceConfig())

test('every command with its arguments and flags: scripts depend on them', async () => {
  assertGolden(new URL('./surface.txt', import.meta.url), `${(await surface()).map(commandText).join('\n\n')}\n`)
})

test('every command says what it does in one line and shows how it is used', async () => {
  for (const {command, summary, examples} of await surface()) {
    assert.match(summary, /^[a-z(].{8,98}[^.]$/, `${command}: summary`)
    assert.ok(examples.length > 0, `${command}: examples`)
    assert.ok(
      examples.some((example) => example.includes(`colo ${command}`)),
      `${command}: no example uses it`,
    )
  }
})

test('examples use flags that exist', async () => {
  for (const {command, examples, flags, open} of await surface()) {
    const known = flags.flatMap(({name, char}) => [`--${name}`, `-${char ?? '?'}`])
    for (const example of examples) {
      const own = example.slice(example.indexOf(`colo ${command}`)).split(/ -- |[|>;)]/)[0] ?? ''
      for (const word of own.split(/\s+/)) {
        const flag = word.split('=')[0] ?? ''
        if (/^--?[a-z]/.test(flag) && !open)
          assert.ok(known.includes(flag.replace(/^--no-(?!color)/, '--')), `${command}: ${flag} in ${example}`)
      }
    }
  }
})

test('every flag and argument has a text', async () => {
  for (const {command, flags, args} of await surface()) {
    for (const flag of flags) assert.ok(flag.summary.length > 5, `${command} --${flag.name}`)
    for (const arg of args) assert.ok(arg.description.length > 3, `${command} ${arg.name}`)
  }
})

test('no argument that was left out is read from standard input, where the spec for `-f -` is', async () => {
  for (const command of (await sourceConfig()).commands) {
    const {args} = await command.load()
    for (const [name, {ignoreStdin}] of Object.entries(args)) assert.ok(ignoreStdin, `${command.id} ${name}`)
  }
})

test('every command has --json and a schema of what it prints, and no schema is left over', async () => {
  const wanted = new Set(['error.schema.json', 'operation.schema.json', 'import.schema.json'])
  for (const {command, json} of await surface()) {
    assert.ok(json, `${command} --json`)
    const file = `${command.replaceAll(' ', '-')}.schema.json`
    wanted.add(file)
    assert.ok(existsSync(new URL(`../../../docs/json/${file}`, import.meta.url)), `docs/json/${file}`)
    const odd = problemsOf({}, readSchema(file)).filter((problem) => problem.includes('does not know'))
    assert.deepEqual(odd, [], file)
  }
  assert.deepEqual(readdirSync(new URL('../../../docs/json/', import.meta.url)).sort(), [...wanted].sort())
})

function commandText({command, aliases, args, flags, open}: CommandSurface): string {
  const words = args.map(({name, required, values}) => {
    const text = values === undefined ? name : `${name}=${values.join('|')}`
    return required ? text : `[${text}]`
  })
  const lines = flags.map(({name, char, type, value, values, multiple, required, standard}) => {
    const taken = type === 'boolean' ? '' : ` ${value ?? ''}${values === undefined ? '' : `=${values.join('|')}`}`
    const notes = [
      required ? 'required' : '',
      multiple ? 'multiple' : '',
      standard === undefined ? '' : `default ${standard}`,
    ]
    const told = notes.filter((note) => note !== '').join(', ')
    return `  --${name}${char === undefined ? '' : ` -${char}`}${taken}${told === '' ? '' : ` (${told})`}`
  })
  const also = aliases.length === 0 ? '' : ` (also: ${aliases.join(', ')})`
  return [`colo ${[command, ...words, ...(open ? ['...'] : [])].join(' ')}${also}`, ...lines].join('\n')
}

test.run()
