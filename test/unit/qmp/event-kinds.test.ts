import assert from 'node:assert/strict'
import {DecodeError} from '../../../src/errors.js'
import * as kinds from '../../../src/qmp/event-kinds.js'
import {parseMessage, type QmpEvent} from '../../../src/qmp/messages.js'
import {lineFixtures} from '../../fixtures/qmp/fixtures.js'
import {suite} from '../../support/suite.js'

const test = suite('qmp event kinds')

function captured(name: string): QmpEvent {
  const fixture = lineFixtures().find((one) => one.name === name)
  assert.ok(fixture, `no capture ${name}`)
  const message = parseMessage(fixture.line)
  assert.ok(message.kind === 'event')
  return message.event
}

test('everything QEMU sent unasked is understood', () => {
  for (const {name, line} of lineFixtures()) {
    assert.equal(parseMessage(line).kind, name.endsWith('greeting') ? 'greeting' : 'event', name)
  }
})

const decoded: ReadonlyArray<readonly [string, (event: QmpEvent) => unknown, unknown]> = [
  ['qemu-11.1.3-event-COLO_EXIT-primary-error', kinds.coloExit, {mode: 'primary', reason: 'error'}],
  ['qemu-11.1.3-event-COLO_EXIT-secondary-error', kinds.coloExit, {mode: 'secondary', reason: 'error'}],
  [
    'qemu-11.1.3-event-QUORUM_REPORT_BAD-write',
    kinds.quorumReportBad,
    {nodeName: 'nbd0', type: 'write', error: 'Input/output error', sector: 0, sectors: 8},
  ],
  ['qemu-11.1.3-event-MIGRATION-colo', kinds.migrationEvent, {status: 'colo'}],
  ['qemu-11.1.3-event-JOB_STATUS_CHANGE-concluded', kinds.jobStatusChange, {id: 'resync', status: 'concluded'}],
  ['qemu-11.1.3-event-BLOCK_EXPORT_DELETED-nbd', kinds.blockExportDeleted, {id: 'exp0'}],
  ['qemu-11.1.3-event-SHUTDOWN-quit', kinds.shutdownEvent, {guest: false, reason: 'host-qmp-quit'}],
  ['qemu-7.2.22-event-RESET-qmp', kinds.resetEvent, {guest: false, reason: 'host-qmp-system-reset'}],
  [
    'qemu-7.2.22-event-BLOCK_IO_ERROR-read',
    kinds.blockIoError,
    {device: '', nodeName: 'bad', operation: 'read', action: 'report', reason: 'Input/output error'},
  ],
]

for (const [name, decode, expected] of decoded) {
  test(name, () => {
    assert.deepEqual(decode(captured(name)), expected)
  })
}

test('a missing member is named', () => {
  assert.throws(
    () => kinds.coloExit({event: 'COLO_EXIT', data: {mode: 'primary'}, atUs: 0}),
    (error) => {
      assert.ok(error instanceof DecodeError)
      assert.equal(error.message, 'COLO_EXIT: data.reason is not one of request, error')
      return true
    },
  )
})

test.run()
