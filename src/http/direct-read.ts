import type { Socket } from 'node:net'
import type { OnBytes } from './socket-reading.ts'
import { isStreamHandle, streamWrap } from './stream-wrap.ts'

/**
 * Hands what a connected socket, made with `onreadInto`, reads to `onBytes` without the steps that `net.Socket` takes
 * in between; its end and its errors go the usual way. Where Node's inside looks different nothing is changed.
 */
export const readDirectly = (socket: Socket, buffer: Buffer, onBytes: OnBytes): void => {
  const handle = (socket as unknown as { _handle?: unknown })._handle
  if (streamWrap === null || !isStreamHandle(handle)) return
  const ordinary = handle.onread
  if (typeof ordinary !== 'function') return
  const { streamBaseState, kReadBytesOrError } = streamWrap
  handle.onread = function (this: unknown, given: unknown) {
    const length = streamBaseState[kReadBytesOrError] as number
    if (length > 0 && !socket.destroyed) onBytes(buffer, length)
    else ordinary.call(this, given)
  }
}
