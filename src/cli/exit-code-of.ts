import {ColoError} from '../errors.js'
import {exitCodes} from '../exit-codes.js'

/** oclif keeps the exit status of its own errors here. */
export interface OclifFields {
  oclif?: {exit?: number | undefined}
  skipOclifErrorHandling?: boolean
}

/** The exit status of any error: its own, what oclif says (2 for a wrong command line), else 1. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof ColoError) return error.exit
  return (error as OclifFields | undefined)?.oclif?.exit ?? exitCodes.internal
}
