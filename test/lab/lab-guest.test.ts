import {strict as assert} from 'node:assert'

import {bootGuest, get} from '../support/lab-guest.js'
import {buildMs, sharedLab} from '../support/lab-sandbox.js'
import {labSuite} from '../support/lab-suite.js'

const {test, whole} = labSuite('lab guest')

const echo = 'exec 3<>/dev/tcp/10.77.0.10/7; echo one >&3; read -r a <&3; echo two >&3; read -r b <&3; echo $a $b'

for (const [nic, bus] of [
  ['virtio', 'virtio'],
  ['e1000', 'ide'],
] as const) {
  test(
    `boots by firmware and serves, NIC ${nic}, disk ${bus}`,
    async (t) => {
      const sandbox = await sharedLab()
      t.defer(() => sandbox.on('alpha', ['virsh', '-q', 'destroy', 'fw']))
      await bootGuest(sandbox, {host: 'alpha', name: 'fw', nic, bus})
      const page = await get(sandbox, 'http://10.77.0.10/')
      assert.match(page, /same on both sides/)
      assert.equal(await get(sandbox, 'http://[fd77::10]/'), page)
      assert.equal(await get(sandbox, 'http://10.78.0.10/'), page)
      const uptime = (): Promise<string> => get(sandbox, 'http://10.77.0.10/uptime')
      assert.notEqual(await uptime(), await uptime())
      const written = await get(sandbox, 'http://10.77.0.10/write?disk=0&sector=131072&value=hello+there')
      assert.equal(written, 'written disk=0 sector=131072 value=hello there')
      assert.equal(await get(sandbox, 'http://10.77.0.10/read?disk=0&sector=131072'), 'hello there')
      assert.match(await get(sandbox, 'http://10.77.0.10/read?disk=1&sector=0'), /^read: /)
      const head = (await sandbox.on('client', ['curl', '-sSi', 'http://10.77.0.10/'])).stdout
      assert.doesNotMatch(head, /^Date:/im)
      assert.equal((await sandbox.on('client', ['bash', '-c', echo])).stdout, 'one two')
    },
    buildMs,
  )
}

whole.run()
