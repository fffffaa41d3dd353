import {
  blockdevAdd,
  blockdevChange,
  blockdevDel,
  queryBlock,
  queryBlockGraph,
  queryBlockstats,
  queryNamedBlockNodes,
} from '../../../src/qmp/commands/block-nodes.js'
import type {QmpExecutor} from '../../../src/qmp/commands/call.js'
import {chardevAdd, chardevRemove, queryChardev, socketBackend} from '../../../src/qmp/commands/chardevs.js'
import {coloLostHeartbeat, queryColoStatus, queryReplicationStatus} from '../../../src/qmp/commands/colo.js'
import {qomListTypes, queryBlockDrivers, queryCommands, queryVersion} from '../../../src/qmp/commands/introspection.js'
import {blockdevMirror, blockJobCancel, jobDismiss, queryJobs} from '../../../src/qmp/commands/jobs.js'
import {
  migrate,
  migrateCancel,
  migrateContinue,
  migrateIncoming,
  migrateSetCapabilities,
  migrateSetParameters,
  queryMigrate,
  queryMigrateCapabilities,
  queryMigrateParameters,
} from '../../../src/qmp/commands/migration.js'
import {
  blockExportAdd,
  blockExportDel,
  nbdServerStart,
  nbdServerStop,
  queryBlockExports,
} from '../../../src/qmp/commands/nbd.js'
import {announceSelf, queryRxFilter} from '../../../src/qmp/commands/net.js'
import {objectAdd, objectDel, qomGet, qomList, qomSet} from '../../../src/qmp/commands/objects.js'
import {cont, queryStatus, quit, reset, stop} from '../../../src/qmp/commands/status.js'
import {humanMonitorCommand, traceEventSetState} from '../../../src/qmp/commands/trace.js'
import {queryYank, yank} from '../../../src/qmp/commands/yank.js'

/**
 * Every typed command, called in such a way that it must send exactly what capture.ts sent to QEMU 11.1.3 under the
 * given title. The first one of each command also decodes every other capture of it.
 */
export const typedCommands: ReadonlyArray<readonly [string, string, (qmp: QmpExecutor) => Promise<unknown>]> = [
  ['query-status', 'prelaunch', (qmp) => queryStatus(qmp)],
  ['stop', 'ok', (qmp) => stop(qmp)],
  ['cont', 'ok', (qmp) => cont(qmp)],
  ['quit', 'ok', (qmp) => quit(qmp)],
  ['system_reset', 'ok', (qmp) => reset(qmp)],

  ['query-colo-status', 'primary', (qmp) => queryColoStatus(qmp)],
  ['x-colo-lost-heartbeat', 'ok', (qmp) => coloLostHeartbeat(qmp)],
  ['query-xen-replication-status', 'primary', (qmp) => queryReplicationStatus(qmp)],

  ['query-migrate', 'pre-switchover', (qmp) => queryMigrate(qmp)],
  ['migrate', 'tcp', (qmp) => migrate(qmp, 'tcp:127.0.0.1:29998')],
  ['migrate-incoming', 'tcp', (qmp) => migrateIncoming(qmp, 'tcp:127.0.0.1:29998')],
  ['migrate-continue', 'pre-switchover', (qmp) => migrateContinue(qmp, 'pre-switchover')],
  ['migrate_cancel', 'none', (qmp) => migrateCancel(qmp)],
  [
    'migrate-set-capabilities',
    'secondary',
    (qmp) => migrateSetCapabilities(qmp, {'x-colo': true, 'return-path': true, events: true}),
  ],
  ['query-migrate-capabilities', 'none', (qmp) => queryMigrateCapabilities(qmp)],
  [
    'migrate-set-parameters',
    'colo',
    (qmp) => migrateSetParameters(qmp, {checkpointDelayMs: 500, maxBandwidth: 1_073_741_824}),
  ],
  ['migrate-set-parameters', 'same-delay', (qmp) => migrateSetParameters(qmp, {checkpointDelayMs: 500})],
  ['query-migrate-parameters', 'defaults', (qmp) => queryMigrateParameters(qmp)],

  ['query-named-block-nodes', 'primary', (qmp) => queryNamedBlockNodes(qmp)],
  ['x-debug-query-block-graph', 'primary', (qmp) => queryBlockGraph(qmp)],
  ['query-block', 'primary', (qmp) => queryBlock(qmp)],
  ['query-blockstats', 'devices', (qmp) => queryBlockstats(qmp, 'devices')],
  ['query-blockstats', 'nodes-primary', (qmp) => queryBlockstats(qmp, 'nodes')],
  [
    'blockdev-add',
    'nbd',
    (qmp) =>
      blockdevAdd(qmp, {
        driver: 'nbd',
        'node-name': 'nbd0',
        server: {type: 'inet', host: '127.0.0.1', port: '29999'},
        export: 'parent0',
        'detect-zeroes': 'on',
      }),
  ],
  ['blockdev-del', 'nbd', (qmp) => blockdevDel(qmp, 'nbd0')],
  ['x-blockdev-change', 'add', (qmp) => blockdevChange(qmp, {parent: 'colo-disk0', node: 'nbd0'})],
  ['x-blockdev-change', 'remove', (qmp) => blockdevChange(qmp, {parent: 'colo-disk0', child: 'children.1'})],

  [
    'blockdev-mirror',
    'full',
    (qmp) =>
      blockdevMirror(qmp, {jobId: 'resync', device: 'colo-disk0', target: 'nbd0', sync: 'full', autoDismiss: false}),
  ],
  ['block-job-cancel', 'ready', (qmp) => blockJobCancel(qmp, 'resync')],
  ['query-jobs', 'ready', (qmp) => queryJobs(qmp)],
  ['job-dismiss', 'concluded', (qmp) => jobDismiss(qmp, 'resync')],

  ['nbd-server-start', 'inet', (qmp) => nbdServerStart(qmp, {host: '127.0.0.1', port: 29_999, maxConnections: 1})],
  ['nbd-server-start', 'again', (qmp) => nbdServerStart(qmp, {host: '127.0.0.1', port: 29_999})],
  ['nbd-server-stop', 'ok', (qmp) => nbdServerStop(qmp)],
  ['block-export-add', 'nbd', (qmp) => blockExportAdd(qmp, {id: 'exp0', nodeName: 'copy0', name: 'parent0'})],
  ['block-export-del', 'hard', (qmp) => blockExportDel(qmp, 'exp0', 'hard')],
  ['query-block-exports', 'secondary', (qmp) => queryBlockExports(qmp)],

  [
    'object-add',
    'mirror',
    (qmp) =>
      objectAdd(qmp, {
        'qom-type': 'filter-mirror',
        id: 'm0',
        netdev: 'hn0',
        queue: 'tx',
        outdev: 'mirror0',
        status: 'off',
      }),
  ],
  ['object-del', 'absent', (qmp) => objectDel(qmp, 'nope')],
  ['qom-list', 'objects-primary', (qmp) => qomList(qmp, '/objects')],
  ['qom-get', 'off', (qmp) => qomGet(qmp, {path: '/objects/m0', property: 'status'})],
  ['qom-set', 'on', (qmp) => qomSet(qmp, {path: '/objects/m0', property: 'status', value: 'on'})],

  [
    'chardev-add',
    'server',
    (qmp) => chardevAdd(qmp, 'mirror0', socketBackend({address: {host: '127.0.0.1', port: 29_003}, role: 'server'})),
  ],
  [
    'chardev-add',
    'client',
    (qmp) =>
      chardevAdd(
        qmp,
        'red0',
        socketBackend({
          address: {host: '127.0.0.1', port: 29_003},
          role: {reconnect: {option: 'reconnect-ms', everyMs: 1000}},
        }),
      ),
  ],
  ['chardev-remove', 'mirror', (qmp) => chardevRemove(qmp, 'mirror0')],
  ['query-chardev', 'primary', (qmp) => queryChardev(qmp)],

  ['announce-self', 'self', (qmp) => announceSelf(qmp, {initialMs: 50, maxMs: 550, rounds: 5, stepMs: 50})],
  ['query-rx-filter', 'all', (qmp) => queryRxFilter(qmp)],
  ['query-rx-filter', 'one', (qmp) => queryRxFilter(qmp, 'e0')],

  ['query-yank', 'primary', (qmp) => queryYank(qmp)],
  [
    'yank',
    'ok',
    (qmp) =>
      yank(qmp, [{type: 'block-node', 'node-name': 'nbd0'}, {type: 'chardev', id: 'mirror0'}, {type: 'migration'}]),
  ],

  ['trace-event-set-state', 'colo', (qmp) => traceEventSetState(qmp, {name: 'colo_vm_state_change', enable: false})],
  ['human-monitor-command', 'network', (qmp) => humanMonitorCommand(qmp, 'info network')],

  ['query-version', 'none', (qmp) => queryVersion(qmp)],
  ['query-commands', 'none', (qmp) => queryCommands(qmp)],
  ['qom-list-types', 'netfilter', (qmp) => qomListTypes(qmp, 'netfilter')],
  ['query-qmp-schema', 'trimmed', (qmp) => queryBlockDrivers(qmp)],
]
