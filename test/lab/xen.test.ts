import * as assert from 'uvu/assert'

import {suite} from '../support/suite.js'
import {configCases} from '../support/xen/config-cases.js'
import {bootDom0, type Dom0} from '../support/xen/dom0.js'

/*
 * A real Xen 4.17 of Debian 12 under an emulated processor; in its dom0 two hosts, each with sshd, agent and records of its own. Domains they
 * share, so xa's `xrem` and xb's `xrem--incoming` stand side by side in one list.
 */
const test = suite('Xen, in a real dom0')

/** Everything here is emulated, and other tests run beside it. */
const longMs = 600_000
let dom0: Dom0

test(
  'boots, and both hosts say what they can run',
  async () => {
    dom0 = await bootDom0()
    const result = JSON.parse((await patiently(() => dom0.colo(['xen', 'check', 'xa', 'xb', '--json']))).stdout) as {
      verdict: string
      checks: ReadonlyArray<{id: string; host?: string; verdict: string; message: string}>
    }
    assert.is(result.verdict, 'warn')
    for (const host of ['xa', 'xb']) {
      const verdicts = Object.fromEntries(
        result.checks.filter((check) => check.host === host).map(({id, verdict}) => [id, verdict]),
      )
      assert.equal(verdicts, {
        xen: 'pass',
        'xen-hvm': 'pass',
        'xen-remus': 'pass',
        'xen-buffering': 'warn',
        'xen-colo': 'warn',
        'xen-kernel-proxy': 'warn',
      })
    }
    const colo = result.checks.find(({id}) => id === 'xen-colo')
    assert.match(colo?.message ?? '', /built without libnl.*lacks .*xen-set-replication.*replication/)
  },
  longMs,
)

test(
  'every configuration is accepted or refused by the real xl as the cases say',
  async () => {
    const names = Object.keys(configCases)
    names.forEach((name, index) => dom0.share(`case-${index}.cfg`, configCases[name]?.text ?? ''))
    const script = `n=0; while [ $n -lt ${names.length} ]; do
      xl create -n /opt/start/case-$n.cfg >/dev/null 2>/run/said; rc=$?
      echo "$n $rc $(grep -vc '^Parsing config from' /run/said)"; n=$((n + 1)); done`
    const lines = (await dom0.sh(script, 'xa', longMs)).trim().split('\n')
    const verdicts = lines.map((line) => {
      const [index, status, said] = line.split(' ').map(Number)
      return [names[index ?? -1], status === 0 && said === 0 ? 'accepts' : 'refuses']
    })
    assert.equal(
      verdicts,
      names.map((name) => [name, configCases[name]?.xl]),
    )
    dom0.stop()
  },
  longMs,
)

/** An emulated host beside other tests may answer too late for a limit that is right for real ones. */
async function patiently<R>(ask: () => Promise<R>): Promise<R> {
  for (let left = 8; ; left--) {
    try {
      return await ask()
    } catch (error) {
      if (left === 0) throw error
    }
  }
}

test.run()
