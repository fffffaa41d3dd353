import {protocolVersion, type Hello} from '../../../src/agent/protocol.js'
import {listenUnix, type Port} from '../../../src/os/sockets.js'
import {LineFramer} from '../../../src/qmp/line-framer.js'

export interface FakeRequest {
  readonly id: number
  readonly method: string
  readonly params: unknown
}

export interface FakeAgent {
  readonly path: string
  /** connections accepted so far */
  readonly accepted: () => number
  /** cuts every open connection */
  drop(): void
  close(): void
}

export const helloOf = (host: string): Hello => ({
  protocol: protocolVersion,
  version: '0.1.0',
  host,
  startedAtMs: 1,
  bootId: 'b00t',
})

/** A real UNIX-socket server that speaks the agent's protocol; `answer` gives the lines (objects or raw text) sent back for a request. */
export async function fakeAgent(
  path: string,
  answer: (request: FakeRequest, port: Port) => ReadonlyArray<object | string>,
): Promise<FakeAgent> {
  const ports = new Set<Port>()
  let accepted = 0
  const listener = await listenUnix({path, mode: 0o600}, (port) => {
    accepted++
    ports.add(port)
    const framer = new LineFramer()
    port.onClose(() => ports.delete(port))
    port.onData((chunk) => {
      for (const line of framer.push(chunk)) {
        const request = JSON.parse(line) as FakeRequest
        for (const reply of answer(request, port))
          port.write(typeof reply === 'string' ? reply : `${JSON.stringify(reply)}\n`)
      }
    })
  })
  const drop = (): void => {
    for (const port of ports) port.destroy()
  }
  return {
    path,
    accepted: () => accepted,
    drop,
    close() {
      drop()
      listener.close()
    },
  }
}

/** Answers hello, and everything else with `rest`. */
export function withHello(
  host: string,
  rest: (request: FakeRequest, port: Port) => ReadonlyArray<object | string> = () => [],
): (request: FakeRequest, port: Port) => ReadonlyArray<object | string> {
  return (request, port) =>
    request.method === 'hello' ? [{id: request.id, result: helloOf(host)}] : rest(request, port)
}
