import {spawn} from 'node:child_process'
import {once} from 'node:events'

/**
 * Runs this program again in namespaces of its own: own network, own /run, own process numbers. A lab that others use on this machine is
 * not disturbed, and everything in the sandbox ends with it, however that ends; only the cache of root file systems is shared.
 *
 * @returns its exit status
 */
export async function runInSandbox(args: readonly string[]): Promise<number> {
  const script = 'mount -t tmpfs tmpfs /run && ip link set lo up && "$@"; exit $?'
  const namespaces = ['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
  const self = [process.execPath, ...process.execArgv, ...args]
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...namespaces, 'sh', '-c', script, 'sh', ...self], {
    stdio: 'inherit',
    env: {...process.env, COLO_LAB_DATA: '/run/colo-lab-data', COLO_BENCH_SANDBOX: '1'},
  })
  const [status] = (await once(child, 'close')) as [number | null]
  return status ?? 1
}

export function isInSandbox(): boolean {
  return process.env['COLO_BENCH_SANDBOX'] === '1'
}
