import type { Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'

/** Hears when bytes that the kernel did not take at once are out. */
export interface DirectWriter {
  onWritten(): void
}

/**
 * Writes `text` (latin1) past the stream layer. `pending`: the kernel did not take all of it; the handle sends the rest
 * by itself and tells `writer`, and until then later text must go the ordinary way, which counts what waits.
 * `refused`: nothing was written.
 */
export type WriteDirectly = (socket: Socket, text: string, writer: DirectWriter) => 'sent' | 'pending' | 'refused'

type WriteRequest = { oncomplete: ((status: number) => void) | null; handle: unknown }
type Handle = { writeLatin1String?: (request: WriteRequest, text: string) => number }
type StreamWrap = {
  WriteWrap: new () => WriteRequest
  streamBaseState: ArrayLike<number>
  kLastWriteWasAsync: number
}
type Inside = Socket & { _handle?: Handle | null }

/** What Node's own sockets write with, where it looks as expected. */
const findStreamWrap = (): StreamWrap | null => {
  try {
    const { binding } = process as unknown as { binding?: (name: string) => Partial<StreamWrap> }
    const found = binding?.('stream_wrap')
    const usable =
      typeof found?.WriteWrap === 'function' &&
      typeof found.kLastWriteWasAsync === 'number' &&
      typeof found.streamBaseState?.[found.kLastWriteWasAsync] === 'number'
    return usable ? (found as StreamWrap) : null
  } catch {
    return null
  }
}

const failed = (socket: Socket, status: number): void => {
  socket.destroy(Object.assign(new Error(`write ${getSystemErrorName(status)}`), { code: getSystemErrorName(status) }))
}

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
    if (status !== 0) failed(socket, status)
    else if (streamBaseState[kLastWriteWasAsync] !== 0) {
      request.handle = handle
      request.oncomplete = late => {
        writer.onWritten()
        if (late < 0) failed(socket, late)
      }
      request = new WriteWrap()
      return 'pending'
    }
    return 'sent'
  }
}

const streamWrap = findStreamWrap()

/**
 * A small write without Writable's bookkeeping (about 1 µs less for each of the two of a call), or null where Node's
 * inside looks different: everything works without it.
 */
export const writeDirectly: WriteDirectly | null = streamWrap === null ? null : create(streamWrap)
