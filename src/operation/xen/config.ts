import {UsageError} from '../../errors.js'
import type {PairIdentity} from '../../pair/identity.js'
import {buildXenConfig, type XenSides} from '../../xen/config.js'
import {checkXlCfg} from '../../xen/check-config.js'

/**
 * The xl.cfg of a pair, checked: it goes to xl only when colo finds nothing wrong with it.
 *
 * @throws {UsageError} when the template of this machine does not fit
 */
export async function xenConfigOf(identity: PairIdentity, sides: XenSides): Promise<string> {
  const {readTemplate} = await import('../../os/templates.js')
  const template = await readTemplate('xen/domain.cfg')
  const built = buildXenConfig(identity, sides, template.text)
  if ('problems' in built) {
    const [first] = built.problems
    const lines = built.problems.map(({line, problem}) => `${template.source}:${line}: ${problem}`)
    throw new UsageError(lines[0] ?? template.source, {
      hint: first === undefined ? '' : `mend it:\n${lines.join('\n')}`,
    })
  }
  const [problem, ...others] = checkXlCfg(built.text)
  if (problem !== undefined) {
    throw new UsageError(
      `the configuration of ${identity.spec.name} is not good: ${problem.where} ${problem.problem}`,
      {
        hint: [`see ${template.source}`, ...others.map((other) => `${other.where} ${other.problem}`)].join('\n'),
      },
    )
  }
  return built.text
}
