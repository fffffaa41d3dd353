import {nothing, text} from '../decode.js'
import {call, type CallOptions, type QmpExecutor} from './call.js'

/** Switches trace events; `name` may hold `*`. Per-packet events (`colo_compare_*`) slow the guest down. */
export function traceEventSetState(
  qmp: QmpExecutor,
  trace: {readonly name: string; readonly enable: boolean},
  options?: CallOptions,
): Promise<void> {
  return call(
    qmp,
    {name: 'trace-event-set-state', args: {name: trace.name, enable: trace.enable}, returns: nothing},
    options,
  )
}

/**
 * A command of the human monitor, for what QMP lacks (`info network`, `logfile`).
 *
 * @returns its output, with `\r\n` line ends; errors are text too, so look at it
 */
export function humanMonitorCommand(qmp: QmpExecutor, line: string, options?: CallOptions): Promise<string> {
  return call(qmp, {name: 'human-monitor-command', args: {'command-line': line}, returns: text}, options)
}
