import {cycles} from './cycles.js'
import {pairwise, type Report} from './harness.js'

/** Failover after SIGKILL of the primary's QEMU: in the agents, and the whole command, against the same commands by a bare script. */
export async function measure(): Promise<Report> {
  const {colo, bare} = await cycles()
  const command = colo.map(({failoverMs}) => failoverMs)
  const agents = colo.flatMap(({agentsMs}) => agentsMs ?? [])
  const script = bare.map(({failoverMs}) => failoverMs)
  return {
    title: 'failover after the death of the primary',
    rows: [
      {what: 'in the agents (first step to promoted) / bare script', unit: '×', values: pairwise(agents, script)},
      {what: 'whole command / bare script', unit: '×', values: pairwise(command, script)},
      {what: 'in the agents', unit: 'ms', values: agents},
      {what: 'whole command', unit: 'ms', values: command},
      {what: 'bare script', unit: 'ms', values: script},
    ],
    notes: [
      'in the agents: fence the old tap, the fsynced record "alone", yank, NBD off, taps, filters, x-colo-lost-heartbeat, announce, running.',
      'bare: the promotion alone (yank to running) over monitors that are open already; no fence, no record.',
      'whole command: start, both agents asked, the plan, the old copy marked stale and ended, the final status.',
    ],
  }
}
