import type { ByteSocket } from './byte-socket.ts'
import { type StreamHandle, type StreamWrap, statusError, streamWrap } from './stream-wrap.ts'

/** Hears when bytes that the kernel did not take at once are out. */
export interface DirectWriter {
  onWritten(): void
}

/**
 * Writes `text` (latin1) past the stream layer. `pending`: the kernel did not take all of it; the handle sends the rest
 * by itself and tells `writer`, and until then later text must go the ordinary way, which counts what waits.
 * `refused`: nothing was written.
 */
export type WriteDirectly = (socket: ByteSocket, text: string, writer: DirectWriter) => 'sent' | 'pending' | 'refused'

type Inside = ByteSocket & { _handle?: StreamHandle | null }

const create = ({ WriteWrap, streamBaseState, kLastWriteWasAsync }: StreamWrap): WriteDirectly => {
  // A request object is used up only by a write that the kernel did not take whole; nearly all are.
  let request = new WriteWrap()
  return (socket, text, writer) => {
    const handle = (socket as Inside)._handle
    // Behind bytes that wait already, in a socket that still connects, or in another kind of stream: the ordinary way.
    if (typeof handle?.writeLatin1String !== 'function' || socket.writableLength > 0 || socket.connecting)
      return 'refused'
    if (socket.destroyed) return 'sent'
    const status = handle.writeLatin1String(request, text)
    if (status !== 0) socket.destroy(statusError(status, 'write'))
    else if (streamBaseState[kLastWriteWasAsync] !== 0) {
      request.handle = handle
      request.oncomplete = late => {
        writer.onWritten()
        if (late < 0) socket.destroy(statusError(late, 'write'))
      }
      request = new WriteWrap()
      return 'pending'
    }
    return 'sent'
  }
}

/**
 * A small write without Writable's bookkeeping (about 1 µs less for each of the two of a call), or null where Node's
 * inside looks different: everything works without it.
 */
export const writeDirectly: WriteDirectly | null = streamWrap === null ? null : create(streamWrap)
