import type {Files} from '../../os/files.js'
import type {Run} from '../../os/process.js'
import {xenLayoutAt} from '../../xen/layout.js'
import {pauseArgv} from '../../xen/xl.js'
import {ownDomain} from './state.js'

/** The loser of a failover stands still as soon as its agent hears of the newer generation (S1); what it was stays to be looked at. */
export async function pauseOwn(
  deps: {readonly run: Run; readonly files: Files},
  pair: string,
  runDir: string,
): Promise<void> {
  const own = await ownDomain(deps, xenLayoutAt(pair, runDir))
  if (own !== undefined && own.state !== 'paused') await deps.run(pauseArgv(own.domid))
}
