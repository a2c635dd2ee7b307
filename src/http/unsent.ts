import type { ByteSocket } from './byte-socket.ts'
import { DirectSocket } from './direct-socket.ts'

/**
 * Bytes that one socket may have unsent before whoever writes to it is asked to wait. One number for all sockets of a
 * thread, so that the gateway can take it down when many peers read slowly.
 */
export const unsentLimit = { bytes: 262_144 }

type Inside = { _handle?: { writeQueueSize?: number } | null; _writableState?: { writelen?: number } }

/**
 * Bytes that the kernel has not taken yet. Where Node's inside can be asked, also the part of a large write that is out
 * already counts; else such a write is unsent until its end.
 */
export const unsentBytes = (socket: ByteSocket): number => {
  if (socket instanceof DirectSocket) return socket.unsent
  const { _handle, _writableState } = socket as unknown as Inside
  const queued = _handle?.writeQueueSize
  const writing = _writableState?.writelen
  if (typeof queued !== 'number' || typeof writing !== 'number') return socket.writableLength
  return Math.max(0, socket.writableLength - writing) + queued
}
