import {writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {run} from '../../../src/os/process.js'
import {importCases, memberCaseOf} from '../../support/import-cases.js'
import {memberCases, memberXml, roles} from '../../support/member-cases.js'
import {suite} from '../../support/suite.js'
import {temporaryDirectory} from '../../support/temporary-directory.js'

/** libvirt's own schema (package libvirt-clients, with xmllint); a missing tool fails the test. */
const test = suite("domain XML against libvirt's schema")

/** The schema of Debian 12's libvirt 9.0 does not know this watchdog yet. */
const younger = ['virt-manager-spice']
const imported = importCases
  .filter(({importable, name}) => importable && !younger.includes(name))
  .map((each) => ({...memberCaseOf(each), name: `imported ${each.name}`}))

for (const each of [...memberCases, ...imported]) {
  for (const role of roles) {
    test(`${each.name}, ${role}`, async (t) => {
      const directory = temporaryDirectory(t, 'schema')
      const file = join(directory, 'domain.xml')
      writeFileSync(file, memberXml(each, role))
      await run(['virt-xml-validate', file, 'domain'])
    })
  }
}

test.run()
