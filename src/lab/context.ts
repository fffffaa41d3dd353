import {run as systemRun, type Run} from '../os/process.js'
import {labPaths, type LabPaths} from './paths.js'

/** What every operation of the lab needs; tests give their own. */
export interface LabContext {
  readonly run: Run
  readonly paths: LabPaths
}

/** This machine. With a signal, outside programs end when it aborts, and the caller gets the signal's reason. */
export function systemLab(signal?: AbortSignal): LabContext {
  if (signal === undefined) return {run: systemRun, paths: labPaths()}
  const run: Run = async (argv, options) => {
    try {
      return await systemRun(argv, {signal, ...options})
    } catch (error) {
      throw signal.aborted ? (signal.reason as Error) : error
    }
  }
  return {run, paths: labPaths()}
}
