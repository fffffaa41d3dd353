import {PreflightError} from '../errors.js'
import type {Run} from '../os/process.js'

/** Where Debian packages come from, as this machine is set up. */
export interface Mirror {
  readonly uri: string
  /** apt configuration lines for proxies and certificates, to be used inside the root file system as well */
  readonly aptConf: string
  /** proxy for debootstrap, which does not read apt's configuration */
  readonly httpProxy: string | undefined
}

const targetFormat = '$(REPO_URI)|$(CODENAME)|$(COMPONENT)|$(LABEL)'

/**
 * Finds the mirror in the machine's own apt set-up; COLO_LAB_MIRROR overrides it.
 *
 * @throws {PreflightError} when apt knows no Debian archive
 */
export async function findMirror(run: Run, env: NodeJS.ProcessEnv = process.env): Promise<Mirror> {
  const targets = await run(['apt-get', 'indextargets', '--format', targetFormat, 'Created-By: Packages'])
  const dump = (await run(['apt-config', 'dump'])).stdout
  const uri = env['COLO_LAB_MIRROR'] ?? pickMirror(targets.stdout)
  if (uri === undefined) {
    throw new PreflightError('lab-mirror', 'apt on this machine has no Debian archive among its sources', {
      hint: 'set COLO_LAB_MIRROR to the URI of a Debian mirror',
    })
  }
  const aptConf = transportSettings(dump)
  return {uri: uri.replace(/\/+$/, ''), aptConf, httpProxy: env['http_proxy'] ?? proxyOf(aptConf)}
}

/** The archive of a Debian release itself, not its security or backports part. */
export function pickMirror(targets: string): string | undefined {
  for (const line of targets.split('\n')) {
    const [uri, codename, component, label] = line.split('|')
    if (
      uri !== undefined &&
      label === 'Debian' &&
      component === 'main' &&
      codename !== undefined &&
      /^[a-z]+$/.test(codename)
    ) {
      return uri
    }
  }
  return undefined
}

/** The lines of `apt-config dump` that say how to reach a mirror. */
export function transportSettings(dump: string): string {
  const lines = dump.split('\n').filter((line) => /^Acquire::(https?|ftp|Retries)\b.* "[^"]+";$/.test(line))
  return lines.map((line) => `${line}\n`).join('')
}

function proxyOf(aptConf: string): string | undefined {
  return /^Acquire::http::Proxy "([^"]+)";$/m.exec(aptConf)?.[1]
}
