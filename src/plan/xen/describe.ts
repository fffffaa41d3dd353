import {unreachable} from '../../errors.js'
import {runRoot} from '../../pair/layout.js'
import {xenLayoutAt} from '../../xen/layout.js'
import type {XenAction} from './actions.js'

/** A Xen action as lines a person could type; xl is given names here, while agents use the numbers of domains. */
export function describeXen(action: XenAction, pair: string): string[] {
  const layout = xenLayoutAt(pair, `${runRoot}/${pair}`)
  switch (action.kind) {
    case 'xen-domain':
      if (action.ensure === 'absent') return [`xl destroy ${layout.domain}`]
      return [`cat > ${layout.configFile} <<'CFG'`, action.config.trimEnd(), 'CFG', `xl create -p ${layout.configFile}`]
    case 'xen-run':
      return [`xl ${action.state === 'paused' ? 'pause' : 'unpause'} ${layout.domain}`]
    case 'xen-fence':
      return [`xl ${action.ensure === 'present' ? 'pause' : 'unpause'} ${layout.domain}`]
    case 'xen-booted':
      return [
        `# wait until the guest has booted: control/feature-suspend in xenstore, or idle (${action.timeoutMs / 1000} s at most)`,
      ]
    case 'xen-receive':
      if (action.ensure === 'absent')
        return ['# end the receiver before it could take over', `xl destroy ${layout.incoming}`]
      return [
        `# relay: listen on ${action.address}:${action.port}; for the other side of this pair run the line below, its input held open until the grant`,
        `# ${action.argv.join(' ')}`,
      ]
    case 'xen-protect':
      if (action.ensure === 'absent') return ['# grant: the relay ends, and with it xl remus; the guest goes on alone']
      return [
        `# relay: ${layout.transport} connects ${action.local} to ${action.address}:${action.port}`,
        action.argv.map((word) => (word === 'TRANSPORT' ? layout.transport : word)).join(' '),
      ]
    case 'xen-checkpoint':
      return [`# wait for a whole checkpoint (${action.timeoutMs / 1000} s at most)`]
    case 'xen-takeover':
      return [
        '# grant: the input of the receiver is closed, the copy takes over',
        ...action.monitor.map((command) => `xl qemu-monitor-command ${layout.domain} '${command}'`),
      ]
    case 'xen-name':
      return [`# xl rename ${layout.incoming} ${layout.domain}, unless xl has done it`]
    case 'xen-shutdown':
      return [`xl shutdown -F -w ${layout.domain}  # ${action.timeoutMs / 1000} s at most`]
    default:
      return unreachable(action)
  }
}
