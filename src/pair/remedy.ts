import type {PairStatus} from './status.js'

/**
 * The command that the state of a pair calls for, whatever was interrupted before: for a refusal of the very command that would finish it.
 *
 * @param except  what was refused, such as `colo pair resync web1`
 */
export function otherRemedy(
  {pair, state, reasons}: Pick<PairStatus, 'pair' | 'state' | 'reasons'>,
  except: string,
): string {
  const remedies = reasons.filter(({code}) => code !== 'interrupted').flatMap(({remedy}) => remedy ?? [])
  if (state === 'stopped') remedies.push(`colo pair start ${pair}`)
  return remedies.find((remedy) => remedy !== except) ?? `colo pair status ${pair}`
}
