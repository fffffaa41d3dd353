import dgram from 'node:dgram'
import net from 'node:net'

/** One bound UDP socket. */
export interface DatagramPort {
  /** Sends without waiting; what cannot be sent is lost, as datagrams are. */
  send(bytes: Uint8Array, to: {readonly address: string; readonly port: number}): void
  close(): void
}

/** Called for every datagram; `from` is the sender's address as the kernel saw it. */
export type OnDatagram = (bytes: Uint8Array, from: {readonly address: string; readonly port: number}) => void

/** Binds a UDP socket; settles when it is bound. */
export type BindDatagrams = (
  at: {readonly address: string; readonly port: number},
  onDatagram: OnDatagram,
) => Promise<DatagramPort>

/**
 * The real {@link BindDatagrams}: one address, never a wildcard.
 *
 * @throws Node's error (`EADDRNOTAVAIL`, `EADDRINUSE`) when it cannot be bound
 */
export const bindDatagrams: BindDatagrams = (at, onDatagram) =>
  new Promise((resolve, reject) => {
    const socket = dgram.createSocket(net.isIPv6(at.address) ? 'udp6' : 'udp4')
    socket.once('error', reject)
    socket.on('message', (bytes, from) => {
      onDatagram(bytes, from)
    })
    socket.bind({address: at.address, port: at.port, exclusive: true}, () => {
      socket.off('error', reject)
      socket.on('error', () => undefined)
      resolve({
        send: (bytes, to) => {
          socket.send(bytes, to.port, to.address, () => undefined) // with a callback errors do not become events
        },
        close: () => {
          socket.close()
        },
      })
    })
  })
