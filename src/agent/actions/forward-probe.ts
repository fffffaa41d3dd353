import {PreflightError, StateError} from '../../errors.js'
import {listenerRuleset, readListener, senderNames, senderSteps} from '../../net/forward/probe.js'
import {nftApplyArgv, nftListArgv, parseNftTable, tableRemoval} from '../../net/nft-list.js'
import type {ForwardPath} from '../../plan/action.js'
import type {ActionContext} from '../action-context.js'
import type {ActionOf, Perform} from './common.js'

/** A NIC that was just switched on negotiates for some seconds. */
const CARRIER_MS = 10_000
const ARRIVE_MS = 2000
const POLL_MS = 50

/** See the action `forward-send`. */
export const sendFrames: Perform<ActionOf<'forward-send'>> = async ({to, path, station, count}, context) => {
  const {forwarding} = context
  if (to === 'link') {
    await forwarding.claim(path)
    await untilCarrier(path, context)
  }
  const {prepare, send, remove} = senderSteps(path, {station, to: to === 'link' ? path.nic : path.tap})
  const left = (await forwarding.observe()).links.some(({name}) => name === senderNames(path).far)
  if (left) await forwarding.perform(remove) // by a run that was cut off
  try {
    await forwarding.perform(prepare)
    for (let n = 0; n < count; n++) await forwarding.perform(send)
  } finally {
    await forwarding.perform(remove)
  }
  return 'changed'
}

/** See the action `forward-listen`. */
export const listenForFrames: Perform<ActionOf<'forward-listen'>> = async ({path, station}, context) => {
  await context.forwarding.claim(path)
  await untilCarrier(path, context)
  const {links} = await context.forwarding.observe()
  const heard = links.filter(({name, kind, up}) => up && name !== 'lo' && !['bridge', 'ifb'].includes(kind))
  await context.run(nftApplyArgv(), {input: listenerRuleset(tableOf(path), station, heard)})
  return 'changed'
}

/** See the action `forward-heard`. */
export const heardFrames: Perform<ActionOf<'forward-heard'>> = async ({path, station}, context) => {
  const endMs = context.clock.monotonic() + ARRIVE_MS
  try {
    for (;;) {
      const places = await placesOf(path, context)
      if (places.length === 1 && places[0] === path.nic) return 'unchanged'
      if (places.length === 0 && context.clock.monotonic() < endMs) {
        await context.clock.sleep(POLL_MS)
        continue
      }
      throw notProven(path, station, places)
    }
  } finally {
    await context.run(nftApplyArgv(), {input: tableRemoval('netdev', tableOf(path))})
  }
}

/** See the action `forward-proven`. */
export const provenLinks: Perform<ActionOf<'forward-proven'>> = async ({paths}, {forwarding}) => {
  await forwarding.proven(paths.map(({nic}) => nic))
  return 'unchanged'
}

/** Interfaces at which the frames came in. */
async function placesOf(path: ForwardPath, {run, forwarding}: ActionContext): Promise<string[]> {
  const {stdout} = await run(nftListArgv('netdev', tableOf(path)))
  const counts = readListener(parseNftTable(stdout))
  const {links} = await forwarding.observe()
  return links.filter(({index}) => (counts.get(index) ?? 0) > 0).map(({name}) => name)
}

function notProven({nic, owner}: ForwardPath, station: string, places: readonly string[]): PreflightError {
  const where = places.length === 0 ? 'arrived nowhere' : `arrived at ${places.join(' and ')}`
  return new PreflightError(
    'forward-link',
    `the forward link of ${owner} is not proven: frames from ${station} that the other host sent ${where}, not at ${nic} alone`,
    {hint: `connect the forward NICs of both hosts directly, and name the right ones in forward.nic`},
  )
}

async function untilCarrier({nic}: ForwardPath, {files, clock}: ActionContext): Promise<void> {
  const endMs = clock.monotonic() + CARRIER_MS
  while ((await files.readText(`/sys/class/net/${nic}/carrier`))?.trim() !== '1') {
    if (clock.monotonic() >= endMs) {
      throw new StateError(
        `${nic} has no carrier`,
        {actual: 'no carrier', required: ['carrier']},
        {hint: `look at the cable of ${nic}`},
      )
    }
    await clock.sleep(POLL_MS)
  }
}

function tableOf({cookie}: ForwardPath): string {
  return `colo-probe-${cookie.slice(-12)}`
}
