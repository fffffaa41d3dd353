import {createConnection} from 'node:net'

/**
 * Loads a guest's HTTP server from the client's network. Each line of standard input is one {@link LoadOrder}; its {@link LoadResult} is
 * printed when the time is over and the last answer has come.
 *
 *     ip netns exec CLIENT node --import tsx load.ts
 */
export interface LoadOrder {
  readonly address: string
  readonly path: string
  /** that many requests at a time, each on a connection of its own */
  readonly clients: number
  readonly ms: number
}

export interface LoadResult {
  /** milliseconds from the first SYN to the end of the answer, of each request */
  readonly latencies: readonly number[]
  /** until the last answer */
  readonly ms: number
  /** bytes of all answers */
  readonly bytes: number
  readonly failed: number
}

/** more than the time a comparer waits for the other copy's packet */
const answerMs = 10_000

let rest = ''
process.stdin.setEncoding('utf8').on('data', (text) => {
  const lines = (rest + String(text)).split('\n')
  rest = lines.pop() ?? ''
  for (const line of lines) void load(JSON.parse(line) as LoadOrder)
})
process.stdin.once('end', () => process.exit(0))

async function load({address, path, clients, ms}: LoadOrder): Promise<void> {
  const latencies: number[] = []
  let bytes = 0
  let failed = 0
  const start = performance.now()
  const client = async (): Promise<void> => {
    while (performance.now() - start < ms) {
      const sent = performance.now()
      const size = await request(address, path)
      if (size === undefined) failed++
      else {
        bytes += size
        latencies.push(performance.now() - sent)
      }
    }
  }
  await Promise.all(Array.from({length: clients}, client))
  const result: LoadResult = {latencies, ms: performance.now() - start, bytes, failed}
  process.stdout.write(`${JSON.stringify(result)}\n`)
}

/** @returns the bytes of a whole answer with status 200 */
function request(host: string, path: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = createConnection({host, port: 80, noDelay: true})
    const end = (size?: number): void => {
      socket.destroy()
      resolve(size)
    }
    socket.setTimeout(answerMs, () => {
      end()
    })
    socket.once('connect', () => socket.write(`GET ${path} HTTP/1.0\r\nHost: ${host}\r\n\r\n`))
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.once('error', () => {
      end()
    })
    socket.once('end', () => {
      const answer = Buffer.concat(chunks)
      const body = answer.indexOf('\r\n\r\n') + 4
      const length = Number(
        /^HTTP\/1\.\d 200 [^]*\r\nContent-Length: (\d+)\r\n/i.exec(answer.toString('latin1', 0, body))?.[1],
      )
      end(body + length === answer.length ? answer.length : undefined)
    })
  })
}
