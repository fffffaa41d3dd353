import {run as systemRun, type Run} from '../os/process.js'
import {labPaths, type LabPaths} from './paths.js'

/** What every operation of the lab needs; tests give their own. */
export interface LabContext {
  readonly run: Run
  readonly paths: LabPaths
}

/** This machine. With a signal, every outside program ends when it aborts. */
export function systemLab(signal?: AbortSignal): LabContext {
  const run: Run = signal === undefined ? systemRun : (argv, options) => systemRun(argv, {signal, ...options})
  return {run, paths: labPaths()}
}
