import {unreachable, UsageError} from '../errors.js'
import type {LabContext} from './context.js'
import * as faults from './faults.js'
import type {CutOptions, FaultSignal} from './faults.js'
import {isLabHost, labHosts, labLinks, type LabHost, type LabLink} from './layout.js'

/** A fault as the command line names it. */
export type Fault =
  | {
      readonly kind: 'power-off' | 'crash' | 'power-on' | 'fill-scratch' | 'free-scratch' | 'start-agent'
      readonly host: LabHost
    }
  | {readonly kind: 'signal-qemu'; readonly signal: FaultSignal; readonly host: LabHost; readonly pair: string}
  | {readonly kind: 'signal-agent'; readonly signal: FaultSignal; readonly host: LabHost}
  | ({readonly kind: 'cut'; readonly link: LabLink; readonly host: LabHost} & CutOptions)
  | {readonly kind: 'heal'; readonly link: LabLink; readonly host: LabHost}
  | {readonly kind: 'drop-connection'; readonly host: LabHost; readonly port: number}
  | {readonly kind: 'stop-nbd'; readonly host: LabHost; readonly pair: string}

/** One line per form, for help and errors. */
export const faultForms = [
  'power-off HOST',
  'crash HOST',
  'power-on HOST',
  'kill|stop|continue qemu HOST PAIR',
  'kill|stop|continue|start agent HOST',
  'cut LINK HOST [--keep-carrier] [--direction in|out]',
  'heal LINK HOST',
  'drop-connection HOST --port N',
  'stop-nbd HOST PAIR',
  'fill-scratch HOST',
  'free-scratch HOST',
] as const

/** Flags that some forms take. */
export interface FaultFlags extends CutOptions {
  readonly port?: number | undefined
}

/**
 * Reads the words of `colo lab fault`.
 *
 * @throws {UsageError} for anything that is not one of {@link faultForms}
 */
export function parseFault(words: readonly string[], flags: FaultFlags = {}): Fault {
  const [kind = '', ...rest] = words
  refuseStrayFlags(kind, flags)
  switch (kind) {
    case 'power-off':
    case 'crash':
    case 'power-on':
    case 'fill-scratch':
    case 'free-scratch': {
      const [host] = exactly(rest, 1, kind)
      return {kind, host: hostNamed(host)}
    }
    case 'kill':
    case 'stop':
    case 'continue':
    case 'start':
      return processFault(kind, rest)
    case 'cut':
    case 'heal': {
      const [link, host] = exactly(rest, 2, kind)
      const {port: _port, ...options} = flags
      return {kind, link: linkNamed(link), host: hostNamed(host), ...(kind === 'cut' ? options : {})}
    }
    case 'drop-connection': {
      const [host] = exactly(rest, 1, kind)
      if (flags.port === undefined) throw wrong('drop-connection needs --port')
      return {kind, host: hostNamed(host), port: flags.port}
    }
    case 'stop-nbd': {
      const [host, pair = ''] = exactly(rest, 2, kind)
      return {kind, host: hostNamed(host), pair: pairNamed(pair)}
    }
    default:
      throw wrong(kind === '' ? 'which fault?' : `there is no fault ${JSON.stringify(kind)}`)
  }
}

/** Makes a fault happen; settles when it has. */
export async function applyFault(fault: Fault, context: LabContext): Promise<void> {
  switch (fault.kind) {
    case 'power-off':
      return faults.powerOff(fault.host, context)
    case 'crash':
      return faults.crash(fault.host, context)
    case 'power-on':
      return faults.powerOn(fault.host, context)
    case 'fill-scratch':
      return faults.fillScratch(fault.host, context)
    case 'free-scratch':
      return faults.freeScratch(fault.host, context)
    case 'start-agent':
      await faults.startAgent(fault.host, context)
      return
    case 'signal-qemu':
      return faults.signalQemu(fault.signal, fault, context)
    case 'signal-agent':
      return faults.signalAgent(fault.signal, fault.host, context)
    case 'cut':
      return faults.cut(fault, context)
    case 'heal':
      return faults.heal(fault, context)
    case 'drop-connection':
      return faults.dropConnection(fault.host, fault.port, context)
    case 'stop-nbd':
      return faults.stopNbd(fault.host, fault.pair, context)
    default:
      return unreachable(fault)
  }
}

function processFault(signal: FaultSignal | 'start', words: readonly string[]): Fault {
  const [what, host, pair = ''] = words
  if (what === 'agent') {
    exactly(words, 2, `${signal} agent`)
    return signal === 'start'
      ? {kind: 'start-agent', host: hostNamed(host)}
      : {kind: 'signal-agent', signal, host: hostNamed(host)}
  }
  if (what === 'qemu' && signal !== 'start') {
    exactly(words, 3, `${signal} qemu`)
    return {kind: 'signal-qemu', signal, host: hostNamed(host), pair: pairNamed(pair)}
  }
  throw wrong(`${signal} takes ${signal === 'start' ? 'agent' : 'qemu or agent'}, not ${JSON.stringify(what ?? '')}`)
}

function refuseStrayFlags(kind: string, flags: FaultFlags): void {
  if (kind !== 'cut' && (flags.keepCarrier !== undefined || flags.direction !== undefined)) {
    throw wrong(`${kind} takes neither --keep-carrier nor --direction`)
  }
  if (kind !== 'drop-connection' && flags.port !== undefined) throw wrong(`${kind} takes no --port`)
}

function exactly(words: readonly string[], count: number, kind: string): readonly string[] {
  if (words.length === count) return words
  throw wrong(`${kind} takes ${count} word${count === 1 ? '' : 's'} after it, not ${words.length}`)
}

function hostNamed(name = ''): LabHost {
  if (isLabHost(name)) return name
  throw wrong(`the lab has no host ${JSON.stringify(name)}: ${labHosts.join(', ')}`)
}

function linkNamed(name = ''): LabLink {
  const link = labLinks.find((known) => known === name)
  if (link !== undefined) return link
  throw wrong(`there is no link ${JSON.stringify(name)}: ${labLinks.join(', ')}`)
}

/** A domain's name becomes part of a path. */
function pairNamed(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(name)) return name
  throw wrong(`${JSON.stringify(name)} is not a name of a pair`)
}

function wrong(message: string): UsageError {
  return new UsageError(message, {hint: `Faults: ${faultForms.join('; ')}.`})
}
