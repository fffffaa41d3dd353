import {execFile} from 'node:child_process'
import {chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import * as assert from 'uvu/assert'
import {withStartWord} from '../../../src/libvirt/start-word.js'
import {suite, type T} from '../../support/suite.js'
import {temporaryDirectory} from '../../support/temporary-directory.js'

const test = suite('libvirt hook')

const word = 'a'.repeat(32)
const mark = "<metadata><colo:pair xmlns:colo='urn:colo:1' name='web1' uuid='u'/></metadata>"
const member = `<domain><name>web1</name>${mark}<devices/></domain>`
const plain = '<domain><name>web1</name><devices/></domain>'
const image = '/var/lib/colo/images/web1-root.qcow2'
const record = JSON.stringify({images: [{disk: 'root', path: image}]}, undefined, 2)

interface Outcome {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** The hook as it is shipped, but for its two directories. */
function hookOf(t: T) {
  const directory = temporaryDirectory(t, 'hook')
  const [pairs, starts] = [join(directory, 'pairs'), join(directory, 'starts')]
  for (const path of [pairs, starts, join(pairs, 'web1')]) mkdirSync(path)
  const shipped = readFileSync(new URL('../../../templates/libvirt/qemu-hook.sh', import.meta.url), 'utf8')
  const text = shipped.replace('/var/lib/colo/pairs', pairs).replace('/run/colo/starts', starts)
  assert.is.not(text, shipped)
  const file = join(directory, 'colo')
  writeFileSync(file, text)
  chmodSync(file, 0o755)
  const note = join(starts, 'web1')
  return {
    note,
    /** a pair of which this host has a record; an agent that lives asks for its start */
    known: () => {
      writeFileSync(join(pairs, 'web1/record.json'), record)
    },
    asked: (by: number | string = process.pid) => {
      writeFileSync(note, `${word} ${by}\n`)
    },
    call: (guest: string, xml: string, [operation, part] = ['prepare', 'begin']): Promise<Outcome> =>
      new Promise((resolve) => {
        const child = execFile(file, [guest, operation, part, '-'], (error, stdout, stderr) => {
          resolve({status: error === null ? 0 : Number(error.code), stdout, stderr})
        })
        child.stdin?.on('error', () => undefined) // it reads nothing when it need not
        child.stdin?.end(xml)
      }),
  }
}

/** Asserts a refusal that says `why`; nothing on standard output, which libvirt would take for a definition. */
function refused(outcome: Outcome, why: RegExp): void {
  assert.is(outcome.status, 1, JSON.stringify(outcome))
  assert.match(outcome.stderr, why)
  assert.is(outcome.stdout, '')
}

function passed(outcome: Outcome): void {
  assert.equal(outcome, {status: 0, stdout: '', stderr: ''})
}

test('a start that the agent asked for passes, once', async (t) => {
  const {known, asked, call, note} = hookOf(t)
  known()
  asked()
  passed(await call('web1', withStartWord(member, word)))
  assert.is(existsSync(note), false)
  refused(await call('web1', withStartWord(member, word)), /only colo starts it/)
})

test('a start that nobody asked for is refused: with the mark, by the name, by an image', async (t) => {
  const {known, call} = hookOf(t)
  known()
  refused(await call('web1', member), /copy of the pair web1: only colo starts it.*colo pair start web1/s)
  refused(await call('web1', plain), /copy of the pair web1/)
  refused(await call('other', member), /copy of the pair web1/)
  for (const xml of [
    `<domain><name>x</name><disk><source file='${image}'/></disk></domain>`,
    `<domain><name>x</name><qemu:arg value='{&quot;filename&quot;:&quot;${image}&quot;}'/></domain>`,
    `<domain><name>x</name><qemu:arg value='file=${image},if=none'/></domain>`,
    `<domain><name>x</name><source>${image}</source></domain>`,
  ]) {
    refused(await call('x', xml), /copy of the pair web1/)
  }
})

test('another word, a dead agent and a broken note are refused', async (t) => {
  const {known, asked, call, note} = hookOf(t)
  known()
  asked()
  refused(await call('web1', withStartWord(member, 'b'.repeat(32))), /only colo/)
  refused(await call('web1', plain), /only colo/)
  assert.ok(existsSync(note), 'the start that was asked for is still good')
  asked('4194305') // above the greatest number a process can have
  refused(await call('web1', withStartWord(member, word)), /the agent that wanted to start web1 is gone/)
  asked('-1')
  refused(await call('web1', withStartWord(member, word)), /is not one/)
  writeFileSync(note, '')
  refused(await call('web1', withStartWord(member, word)), /only colo/)
})

test('a definition of a pair that is not here is refused, and says how to run it all the same', async (t) => {
  const {call} = hookOf(t)
  refused(await call('web1', member), /which this host does not know; to run it as a plain guest/)
  passed(await call('web1', plain))
})

test('restore and incoming migration are starts, everything else is none of its business', async (t) => {
  const {known, call} = hookOf(t)
  known()
  refused(await call('web1', member, ['restore', 'begin']), /only colo/)
  refused(await call('web1', member, ['migrate', 'begin']), /only colo/)
  for (const [operation, part] of [
    ['start', 'begin'],
    ['started', 'begin'],
    ['stopped', 'end'],
    ['release', 'end'],
    ['reconnect', 'begin'],
    ['attach', 'begin'],
    ['prepare', 'end'],
  ] as const) {
    passed(await call('web1', member, [operation, part]))
  }
})

test('other guests pass, whatever they are called', async (t) => {
  const {known, call} = hookOf(t)
  known()
  const innocent = `<domain><metadata><x:pair xmlns:x='urn:other' name='web1'/></metadata><source file='${image}.bak'/></domain>`
  for (const name of ['db', '-n', '*', '../../etc', '$(touch /tmp/x)', 'a b', 'a\'b"', '.', '', 'ü', 'x'.repeat(300)]) {
    passed(await call(name, innocent))
  }
  passed(await call('db', ''))
  const start = performance.now()
  passed(await call('db', `<domain>${'<disk/>'.repeat(100_000)}</domain>`))
  assert.ok(performance.now() - start < 5000)
})

test.run()
