import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import type {ProbeTarget} from '../operation/probe-target.js'

/**
 * One try: a TCP connection that is made, or an HTTP answer with a status below 400. Certificates are not checked: the question is whether
 * the service answers.
 *
 * @throws the reason, when it did not within `timeoutMs`
 */
export function probeOnce(target: ProbeTarget, timeoutMs: number): Promise<void> {
  return target.kind === 'tcp' ? connectOnce(target, timeoutMs) : getOnce(target.url, timeoutMs)
}

function connectOnce({host, port}: {readonly host: string; readonly port: number}, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({host, port})
    const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${timeoutMs} ms`)), timeoutMs)
    socket.once('connect', () => {
      resolve()
      socket.destroy()
    })
    socket.once('error', reject)
    socket.once('close', () => clearTimeout(timer))
  })
}

function getOnce(url: string, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = {agent: false, rejectUnauthorized: false} as const
    const request = (url.startsWith('https:') ? https : http).get(url, options, (response) => {
      const {statusCode = 0} = response
      response.resume()
      response.once('end', () => (statusCode < 400 ? resolve() : reject(new Error(`HTTP status ${statusCode}`))))
      response.once('error', reject)
    })
    const timer = setTimeout(() => request.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
    request.once('error', reject)
    request.once('close', () => clearTimeout(timer))
  })
}
