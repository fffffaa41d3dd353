import type {Files} from '../os/files.js'
import type {ConnectQmp} from './keeper.js'

/**
 * Connects to QEMU, then takes the socket from QEMU's user: other guests run as the same one, and none of them is to get at this
 * guest's monitor. Where that fails the session is good all the same, and `problem` is told.
 */
export function takingSockets(connect: ConnectQmp, files: Files, problem: (text: string) => void): ConnectQmp {
  const owner = {uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, mode: 0o600}
  return async (options) => {
    const session = await connect(options)
    files.changeOwner(options.path, owner).catch((error: unknown) => {
      problem(`${options.path}: ${(error as Error).message}`)
    })
    return session
  }
}
