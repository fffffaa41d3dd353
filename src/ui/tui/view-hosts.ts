import {formatDuration} from '../time.js'
import {shownData, type HostView, type Model} from './model.js'
import {fitted, span, type Line, type Style} from './text.js'

/** One line per host: whether its agent answers, and what is there. */
export function hostLines(model: Model): readonly Line[] {
  const data = shownData(model)
  const head = `  ${['HOST        ', 'AGENT     ', 'SINCE     ', 'VERSION ', 'PRIMARY OF', 'SECONDARY OF', 'CLOCK MS'].join(' ')} PROBLEM`
  const lines = [...data.hosts.values()]
    .sort((a, b) => a.name.localeCompare(b.name))
    .map((host): Line => {
      const statuses = [...data.pairs.values()].flatMap(({status}) => status ?? [])
      const primaries = statuses.filter(({primary}) => primary === host.name).length
      const secondaries = statuses.filter(({secondary}) => secondary === host.name).length
      const style = styleOf(host)
      const rest = host.state === 'lost' ? 'dim' : undefined
      return [
        span(host.state === 'up' ? '  ' : '! ', style),
        span(`${fitted(host.name, 12)} `, rest),
        span(`${fitted(wordOf(host), 10)} `, style),
        span(`${fitted(formatDuration(data.atMs - host.sinceMs), 10)} ${fitted(host.version ?? '-', 8)} `, rest),
        span(`${fitted(String(primaries), 10)} ${fitted(String(secondaries), 12)} `, rest),
        span(`${fitted(host.state === 'up' ? String(Math.round(host.offsetMs)) : '-', 8)} ${host.problem ?? ''}`, rest),
      ]
    })
  return [[span(fitted(head, model.columns), 'head')], ...lines]
}

export function wordOf({state}: HostView): string {
  switch (state) {
    case 'up':
      return 'answers'
    case 'lost':
      return 'LOST'
    case 'connecting':
      return 'connecting'
  }
}

function styleOf({state}: HostView): Style {
  switch (state) {
    case 'up':
      return 'good'
    case 'lost':
      return 'bad'
    case 'connecting':
      return 'dim'
  }
}
