import {mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {run} from '../../../src/os/process.js'
import {memberCases, memberXml, roles} from '../../support/member-cases.js'
import {suite} from '../../support/suite.js'

/** libvirt's own schema (package libvirt-clients, with xmllint); a missing tool fails the test. */
const test = suite("domain XML against libvirt's schema")

for (const each of memberCases) {
  for (const role of roles) {
    test(`${each.name}, ${role}`, async (t) => {
      const directory = mkdtempSync(join(tmpdir(), 'colo-schema-'))
      t.defer(() => {
        rmSync(directory, {recursive: true, force: true})
      })
      const file = join(directory, 'domain.xml')
      writeFileSync(file, memberXml(each, role))
      await run(['virt-xml-validate', file, 'domain'])
    })
  }
}

test.run()
