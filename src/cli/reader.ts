import type {EventEmitter} from 'node:events'

/**
 * For commands that print without end and change nothing: when nobody reads any more (`| head`) they end, as others do by SIGPIPE. oclif lets
 * them write on into nothing.
 */
export function endWithReader(
  stdout: Pick<EventEmitter, 'on'> = process.stdout,
  exit: (status: number) => void = (status) => process.exit(status),
): void {
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') exit(0)
  })
}
