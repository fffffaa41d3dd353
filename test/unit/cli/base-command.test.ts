import assert from 'node:assert/strict'
import {Flags} from '@oclif/core'
import {BaseCommand} from '../../../src/cli/base-command.js'
import {ConfigError, InterruptedError, NotFoundError, RefusedError} from '../../../src/errors.js'
import {exitCodes} from '../../../src/exit-codes.js'
import {suite} from '../../support/suite.js'
import {runCommand} from './run-command.js'

const test = suite('base command')

/** A command that ends as the test wants it. */
abstract class Probe extends BaseCommand {
  static override flags = {count: Flags.integer({summary: 'a number'})}

  async run(): Promise<unknown> {
    const {flags} = await this.parse(Probe)
    return this.body(flags)
  }

  abstract body(flags: Readonly<Record<string, unknown>>): Promise<unknown>
}

function throwing(error: Error): typeof Probe {
  return class extends Probe {
    async body(): Promise<unknown> {
      throw error
    }
  }
}

interface ErrorJson {
  readonly error: {readonly code: string; readonly message: string; readonly hint?: string; readonly exit: number}
}
const errorIn = (stdout: string): ErrorJson['error'] => (JSON.parse(stdout) as ErrorJson).error

test('keeps the exit status of its own errors, with and without --json', async () => {
  const command = throwing(new NotFoundError('web9: no such pair', {hint: 'colo pair list shows them.'})) as never
  const plain = await runCommand(command, [])
  assert.equal(plain.exit, exitCodes.notFound)
  assert.equal(plain.stdout, '')
  assert.equal(plain.stderr, 'colo: web9: no such pair\n  hint: colo pair list shows them.\n')
  const json = await runCommand(command, ['--json'])
  assert.equal(json.exit, exitCodes.notFound)
  assert.equal(json.stderr, '')
  assert.deepEqual(errorIn(json.stdout), {
    code: 'not-found',
    message: 'web9: no such pair',
    hint: 'colo pair list shows them.',
    exit: 3,
  })
})

test('keeps the exit status of this.error under --json, which oclif 4.14 loses', async () => {
  class Old extends Probe {
    async body(): Promise<unknown> {
      return this.error('refused by the old way', {exit: 7})
    }
  }
  assert.equal((await runCommand(Old as never, [])).exit, 7)
  const json = await runCommand(Old, ['--json'])
  assert.equal(json.exit, 7)
  assert.equal(errorIn(json.stdout).exit, 7)
})

test('a wrong flag under --json is a short document, not the configuration of oclif', async () => {
  const ran = await runCommand(throwing(new Error('never reached')), ['--json', '--bogus'])
  assert.equal(ran.exit, exitCodes.usage)
  assert.deepEqual(errorIn(ran.stdout), {
    code: 'usage',
    message: 'Nonexistent flag: --bogus',
    hint: 'See the command with --help.',
    exit: 2,
  })
  assert.ok(ran.stdout.length < 300, ran.stdout)
})

test('a flag value that cannot be parsed is exit 2 and names the flag', async () => {
  const ran = await runCommand(throwing(new Error('never reached')), ['--count', 'many', '--json'])
  assert.equal(ran.exit, exitCodes.usage)
  assert.match(errorIn(ran.stdout).message, /^--count: .*many$/)
})

test('an internal error is exit 1, and its stack is shown with -v only', async () => {
  const command = throwing(new TypeError('undefined is not a pair')) as never
  const quiet = await runCommand(command, [])
  assert.equal(quiet.exit, exitCodes.internal)
  assert.equal(quiet.stderr, 'colo: undefined is not a pair\n')
  assert.match((await runCommand(command, ['-v'])).stderr, /base-command\.test\.ts/)
})

test('error documents hold named evidence, never all fields of the error', async () => {
  const error = Object.assign(new ConfigError({file: 'web1.yaml', line: 3, column: 7}, 'unknown key'), {
    secret: 's3cret',
  })
  const ran = await runCommand(throwing(error), ['--json'])
  assert.equal(ran.exit, exitCodes.usage)
  assert.deepEqual(JSON.parse(ran.stdout), {
    error: {
      code: 'config',
      message: 'web1.yaml:3:7: unknown key',
      exit: 2,
      place: {file: 'web1.yaml', line: 3, column: 7},
    },
  })
})

test('a result is one document under --json, and its status is kept', async () => {
  class Status extends Probe {
    async body(): Promise<unknown> {
      this.log('web1 is unprotected')
      this.endWith(exitCodes.notProtected)
      return {state: 'unprotected'}
    }
  }
  const plain = await runCommand(Status, [])
  assert.deepEqual([plain.stdout, plain.exit], ['web1 is unprotected\n', 10])
  const json = await runCommand(Status, ['--json'])
  assert.deepEqual(JSON.parse(json.stdout), {state: 'unprotected'})
  assert.equal(json.exit, 10)
})

test('-o json is --json, for commands that print a list', async () => {
  class List extends Probe {
    static override hasOutput = true
    static override flags = {output: Flags.string({char: 'o'})} as never
    async body(): Promise<unknown> {
      this.log('text')
      return {pairs: []}
    }
    override async run(): Promise<unknown> {
      await this.parse(List)
      return this.body()
    }
  }
  for (const argv of [['-o', 'json'], ['-ojson'], ['--output=json'], ['--output', 'json']]) {
    const ran = await runCommand(List, argv)
    assert.deepEqual(JSON.parse(ran.stdout), {pairs: []}, argv.join(' '))
  }
  for (const argv of [
    ['-o', 'jsonp'],
    ['-o', 'table'],
  ]) {
    assert.equal((await runCommand(List as never, argv)).stdout, 'text\n', argv.join(' '))
  }
})

test('after an interrupt whatever fails is an interrupt, exit 130', async (t) => {
  class Slow extends Probe {
    async body(): Promise<unknown> {
      const {interruptSignal} = this
      process.emit('SIGINT')
      assert.ok(interruptSignal.reason instanceof InterruptedError)
      throw new RefusedError('the tool was cancelled', {hint: 'colo pair resync web1'})
    }
  }
  const listeners = process.listenerCount('SIGINT')
  t.defer(() => assert.equal(process.listenerCount('SIGINT'), listeners, 'the handlers are gone'))
  const ran = await runCommand(Slow, ['--json'])
  assert.equal(ran.exit, exitCodes.interrupted)
  assert.deepEqual(errorIn(ran.stdout), {
    code: 'interrupted',
    message: 'interrupted: the tool was cancelled',
    hint: 'colo pair resync web1',
    exit: 130,
  })
})

test.run()
