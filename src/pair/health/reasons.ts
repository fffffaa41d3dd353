import type {Reason} from '../status.js'

interface ReasonOptions {
  readonly host?: string
  readonly remedy?: string
  readonly repairable?: boolean
}

/** A reason; repairable only when said so. */
export function reason(code: string, message: string, options: ReasonOptions = {}): Reason {
  return {
    code,
    message,
    repairable: options.repairable ?? false,
    ...(options.host === undefined ? {} : {host: options.host}),
    ...(options.remedy === undefined ? {} : {remedy: options.remedy}),
  }
}
