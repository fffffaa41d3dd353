import {StateError} from '../../errors.js'
import {continueVm} from '../../net/migration.js'
import {queryColoStatus} from '../../qmp/commands/colo.js'
import {queryStatus} from '../../qmp/commands/status.js'
import {send, settle, type ActionOf, type Perform} from './common.js'

const RUNNING_MS = 10_000

/** See the action `vm-continue`. Inside a checkpoint `cont` could corrupt the guest, so it waits for the end of one. */
export const continueGuest: Perform<ActionOf<'vm-continue'>> = async (_, context) => {
  const qmp = await context.vm.qmp()
  if ((await queryStatus(qmp)).running) return 'unchanged'
  const inColo = (await queryColoStatus(qmp)).mode !== 'none'
  if (!inColo) await send(qmp, continueVm)
  const wait = {what: `${context.pair} to run`, events: ['RESUME'], timeoutMs: RUNNING_MS, signal: context.signal}
  await settle(context, qmp, wait, async () => {
    const {running, status} = await queryStatus(qmp)
    if (running) return true
    if (inColo || status === 'paused' || status === 'prelaunch') return undefined
    throw new StateError(`${context.pair} does not run after cont, it is ${status}`, {
      actual: status,
      required: ['running'],
    })
  })
  return inColo ? 'unchanged' : 'changed'
}

/** See the action `vm-await`. */
export const awaitVm: Perform<ActionOf<'vm-await'>> = async ({states, timeoutMs}, context) => {
  const qmp = await context.vm.qmp()
  const what = `${context.pair} to be ${states.join(' or ')}`
  await settle(context, qmp, {what, events: ['STOP', 'RESUME'], timeoutMs, signal: context.signal}, async () => {
    const {status} = await queryStatus(qmp)
    return states.includes(status) ? true : undefined
  })
  return 'unchanged'
}
