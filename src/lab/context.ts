import {run as systemRun, type Run} from '../os/process.js'
import {labPaths, type LabPaths} from './paths.js'

/** What every operation of the lab needs; tests give their own. */
export interface LabContext {
  readonly run: Run
  readonly paths: LabPaths
}

export const systemLab = (): LabContext => ({run: systemRun, paths: labPaths()})
