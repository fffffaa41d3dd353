import {setMaxListeners} from 'node:events'
import type {Port} from '../os/sockets.js'
import {LineFramer} from '../qmp/line-framer.js'
import {decodeRequest, unknownId, type BadRequest} from './decode-request.js'
import type {RecordedEvent, Reply, Request, StepProgress} from './protocol.js'
import {lineOf, remoteErrorOf} from './wire.js'

/** Progress is left out while so much waits to be read. */
const PROGRESS_LIMIT_BYTES = 256 * 1024
/** A reader of events that leaves so much unread is dropped: a hole in the stream would not be seen. */
const EVENT_LIMIT_BYTES = 1024 * 1024
/** Whoever leaves so much of anything unread is dropped. */
const LIMIT_BYTES = 32 * 1024 * 1024
/** Requests of one client under way at a time. */
const REQUEST_LIMIT = 64

/** One connected command. Locks and event streams belong to it and end with it. */
export interface Client {
  /** aborted when the connection has ended */
  readonly gone: AbortSignal
  /** milliseconds since anything came from it */
  readonly silentMs: number
  /** ends the connection, as if it had ended by itself */
  drop(): void
  progress(id: number, progress: StepProgress): void
  event(id: number, event: RecordedEvent): void
}

export type Handle = (request: Request, client: Client) => Promise<unknown>

/** Serves one connection: lines in, replies out; never throws, and never waits for a slow reader. */
export function serveClient(port: Port, handle: Handle, onGone: (client: Client) => void): Client {
  const gone = new AbortController()
  setMaxListeners(0, gone.signal) // one per thing that waits
  const framer = new LineFramer()
  let underWay = 0

  const send = (reply: Reply, limitBytes = LIMIT_BYTES): void => {
    if (gone.signal.aborted) return
    if (port.queuedBytes > limitBytes) port.destroy()
    else port.write(lineOf(reply))
  }
  let heardAtMs = performance.now()
  const client: Client = {
    gone: gone.signal,
    get silentMs() {
      return performance.now() - heardAtMs
    },
    drop: () => {
      port.destroy()
      end()
    },
    progress: (id, progress) => {
      if (port.queuedBytes <= PROGRESS_LIMIT_BYTES) send({id, progress})
    },
    event: (id, event) => {
      send({id, event}, EVENT_LIMIT_BYTES)
    },
  }
  const serve = async (request: Request | BadRequest): Promise<void> => {
    if (!('method' in request)) {
      send({id: request.id, error: remoteErrorOf(request.error)})
      return
    }
    const {id} = request
    if (underWay >= REQUEST_LIMIT) {
      send({id, error: {code: 'conflict', exit: 4, message: `more than ${REQUEST_LIMIT} requests at a time`}})
      return
    }
    underWay++
    try {
      send({id, result: (await handle(request, client)) ?? {}})
    } catch (error) {
      send({id, error: remoteErrorOf(error)})
    } finally {
      underWay--
    }
  }

  const end = (): void => {
    if (gone.signal.aborted) return
    gone.abort(new Error('the command went away'))
    onGone(client)
  }
  port.onClose(end)
  port.onData((chunk) => {
    heardAtMs = performance.now()
    try {
      for (const line of framer.push(chunk)) if (line !== '') void serve(decodeRequest(line))
    } catch (error) {
      send({id: unknownId, error: remoteErrorOf(error)})
      port.end()
    }
  })
  return client
}
