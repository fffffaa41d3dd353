import {unreachable} from '../errors.js'
import type {NetdevBackend} from '../plan/action.js'
import type {SentCommand} from '../qmp/errors.js'
import {checkCount, checkId, checkInterface} from './check.js'

/**
 * `netdev_add`. A tap is opened by its name and must exist: QEMU may not make one.
 *
 * @throws {UsageError} for an id or name that is none
 * @see qemu/qemu qapi/net.json, NetdevTapOptions, NetdevHubPortOptions
 */
export function netdevAdd(id: string, backend: NetdevBackend): SentCommand {
  return {command: 'netdev_add', arguments: {id: checkId('netdev', id), ...propertiesOf(backend)}}
}

export function netdevDel(id: string): SentCommand {
  return {command: 'netdev_del', arguments: {id: checkId('netdev', id)}}
}

function propertiesOf(backend: NetdevBackend): Record<string, unknown> {
  switch (backend.type) {
    case 'tap':
      return {
        type: 'tap',
        ifname: checkInterface('tap', backend.ifname),
        script: 'no',
        downscript: 'no',
        vhost: false,
      }
    case 'hubport':
      return {
        type: 'hubport',
        hubid: checkCount('hub', backend.hubid, 0),
        netdev: checkId('netdev', backend.netdev),
      }
    default:
      return unreachable(backend)
  }
}
