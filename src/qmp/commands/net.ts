import {field, flag, listOf, nothing, record, text} from '../decode.js'
import {call, present, type CallOptions, type QmpExecutor} from './call.js'

/** Gratuitous ARP, so that switches learn where the guest is now. Times in milliseconds. */
export interface Announcement {
  readonly initialMs: number
  readonly maxMs: number
  readonly rounds: number
  readonly stepMs: number
}

/** Starts announcing and returns at once. */
export function announceSelf(qmp: QmpExecutor, how: Announcement, options?: CallOptions): Promise<void> {
  const args = {initial: how.initialMs, max: how.maxMs, rounds: how.rounds, step: how.stepMs}
  return call(qmp, {name: 'announce-self', args, returns: nothing}, options)
}

/** What a guest NIC wants to receive. */
export interface RxFilter {
  /** id of the NIC */
  readonly name: string
  readonly mac: string
  readonly promiscuous: boolean
}

const rxFilter = record<RxFilter>({
  name: field('name', text),
  mac: field('main-mac', text),
  promiscuous: field('promiscuous', flag),
})

/** Receive filters of virtio NICs; asking re-arms NIC_RX_FILTER_CHANGED. Other models are refused by name and left out without one. */
export function queryRxFilter(qmp: QmpExecutor, nic?: string, options?: CallOptions): Promise<readonly RxFilter[]> {
  return call(qmp, {name: 'query-rx-filter', args: present({name: nic}), returns: listOf(rxFilter)}, options)
}
