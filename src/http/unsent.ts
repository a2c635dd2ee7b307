import type { ByteSocket } from './byte-socket.ts'

/**
 * Bytes that one socket may have unsent before whoever writes to it is asked to wait. One number for all sockets of a
 * thread, so that the gateway can take it down when many peers read slowly.
 */
export const unsentLimit = { bytes: 262_144 }

type Inside = { _handle?: { writeQueueSize?: number; bytesWritten?: number } | null }

/** Whether bytes wait for the peer to read. */
export const waitsForPeer = (socket: ByteSocket): boolean =>
  socket.writableLength > 0 || ((socket as unknown as Inside)._handle?.writeQueueSize ?? 0) > 0

/**
 * Bytes that the kernel has taken from this socket so far. Where Node's inside can be asked, the part of a large write
 * that is out counts already; else only at its end.
 */
export const takenBytes = (socket: ByteSocket): number => {
  const handle = (socket as unknown as Inside)._handle
  const dispatched = handle?.bytesWritten
  const queued = handle?.writeQueueSize
  if (typeof dispatched !== 'number' || typeof queued !== 'number') return socket.bytesWritten - socket.writableLength
  return dispatched - queued
}
