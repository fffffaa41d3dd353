import {knownHostsName, sshByHand, type SshTarget} from './argv.js'

/** What went wrong with ssh, and what the user can do. */
export interface SshProblem {
  readonly why: string
  readonly remedy: string
}

interface Rule {
  readonly pattern: RegExp
  readonly why?: string
  readonly remedy: string
}

/** First match wins. Texts are those of OpenSSH 8.4-10.0 in the C locale. */
const rules: readonly Rule[] = [
  {
    pattern: /REMOTE HOST IDENTIFICATION HAS CHANGED/,
    why: 'the host key has changed',
    remedy:
      'make sure that this is the right machine, then remove the old key with `ssh-keygen -R "ADDRESS"` and run `BYHAND` once',
  },
  {
    pattern: /Host key verification failed|No .* host key is known for/,
    why: 'the host key is not known',
    remedy: 'run `BYHAND` once and compare the fingerprint, or add the key to /etc/ssh/ssh_known_hosts',
  },
  {
    pattern: /Permission denied|Too many authentication failures/,
    remedy: 'it must log in without a password: install a key with `ssh-copy-id`, then try `BYHAND`',
  },
  {pattern: /Could not resolve hostname/, remedy: 'check the address in hosts.yaml, or add it to /etc/hosts'},
  {pattern: /Connection refused/, remedy: 'no sshd is listening there: start it, or check the port in hosts.yaml'},
  {
    pattern: /timed out|No route to host|Network is unreachable|Host is down/i,
    remedy: 'the host is down or cut off: check its power and the network between, then try `BYHAND`',
  },
  {
    pattern: /Bad owner or permissions on|Bad configuration option|terminating, \d+ bad configuration/,
    remedy: 'mend the ssh configuration; `BYHAND` shows the same message',
  },
  {pattern: /ControlPath too long/, remedy: 'set XDG_RUNTIME_DIR to a shorter path'},
  {
    pattern: /banner exchange|kex_exchange_identification|Connection (closed|reset)/,
    remedy:
      'sshd ended the connection before the login: see its log on that host (MaxStartups, TCP wrappers, a firewall)',
  },
]

/**
 * Reads what ssh wrote before it gave up.
 *
 * @param log contents of its `-E` file, or its standard error
 */
export function explainSsh(log: string, target: SshTarget, configFile?: string): SshProblem {
  const rule = rules.find(({pattern}) => pattern.test(log))
  const said = telling(log)
  const why = rule?.why ?? (said === '' ? 'it ended without a word' : said)
  const remedy = (rule?.remedy ?? 'see what `BYHAND` says')
    .replaceAll('BYHAND', sshByHand(target, configFile))
    .replaceAll('ADDRESS', knownHostsName(target))
  return {why, remedy}
}

/** The last line that is not decoration: ssh puts the reason last. */
function telling(log: string): string {
  const lines = log
    .split('\n')
    .map((line) => line.replace(/^ssh: /, '').trim())
    .filter((line) => line !== '' && !/^[@\s]+$/.test(line) && !line.startsWith('Warning: Permanently added'))
  return (lines.at(-1) ?? '').slice(0, 300)
}
