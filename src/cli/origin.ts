import type {CommandOrigin} from '../agent/protocol.js'

const longestWord = 400
const mostWords = 100

/** Who runs this command, for the audit logs of the hosts it changes. @param user the effective one */
export function commandOrigin(
  user: string,
  env: Readonly<Record<string, string | undefined>>,
  argv: readonly string[],
): CommandOrigin {
  const sudo = env['SUDO_USER']
  const from = env['SSH_CONNECTION']?.split(' ')[0]
  return {
    user,
    ...(sudo === undefined || sudo === '' ? {} : {sudo}),
    ...(from === undefined || from === '' ? {} : {from}),
    argv: withoutSecrets(argv)
      .slice(0, mostWords)
      .map((word) => word.slice(0, longestWord)),
  }
}

const secretFlag = /^--?[a-z-]*(password|passphrase|secret|token|key)[a-z-]*/i

/** Values of flags whose names say that they are secret become `***`. */
export function withoutSecrets(argv: readonly string[]): string[] {
  return argv.map((word, index) => {
    const before = argv[index - 1] ?? ''
    if (secretFlag.test(before) && !before.includes('=')) return '***'
    return secretFlag.test(word) && word.includes('=') ? `${word.slice(0, word.indexOf('='))}=***` : word
  })
}
