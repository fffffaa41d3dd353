import type {Host} from './host.js'
import type {Goal} from './recover.js'
import type {World} from './world.js'

/** What no operation may leave behind once all is well: domains, overlays, rules, records and locks that nobody owns. */
export function leftovers({hosts, spec}: World, goal: Goal): string[] {
  const members = hosts.filter(({record}) => record !== undefined)
  const copies = hosts.filter(({qemu}) => qemu !== undefined)
  const wanted = {protected: 2, suspended: 1, stopped: 0, gone: 0}[goal]
  return [
    ...(copies.length === wanted ? [] : [`${copies.length} copies run, not ${wanted}`]),
    ...(members.length === (goal === 'gone' ? 0 : 2) ? [] : [`${members.length} hosts have a record`]),
    ...hosts.flatMap(({name, agent}) => {
      const holder = agent?.locks.holder(spec.name)
      return holder === undefined ? [] : [`${holder.owner} holds the lock on ${name}: ${holder.purpose}`]
    }),
    ...hosts.flatMap(({name, agent}) => (agent?.intents.current === undefined ? [] : [`a plan is noted on ${name}`])),
    ...hosts.flatMap((host) => ofIdle(host).map((text) => `${text} left on ${host.name}`)),
  ]
}

/** Of a host on which no copy runs. One that belongs to the pair keeps its place: port rules, and overlays until `disk clean`. */
function ofIdle({qemu, record, files, tapTables, firewalls}: Host): string[] {
  if (qemu !== undefined) return []
  const belongs = record !== undefined
  return [
    ...(!belongs && (files.active !== undefined || files.hidden !== undefined) ? ['overlays'] : []),
    ...(tapTables.size > 0 ? ['rules of taps'] : []),
    ...(!belongs && firewalls.size > 0 ? ['rules of ports'] : []),
  ]
}
