import type { Socket } from 'node:net'

/**
 * Up to this size bytes are written as a latin1 string: libuv tries the write at once from the stack, and nothing is
 * allocated. Above it they are copied into a slab, since the caller's buffer is reused for the next read.
 */
const stringLimit = 16_384
const slabSize = 65_536
const maxFreeSlabs = 64
const free: Buffer[] = []

/** Unsent bytes above which a writer asks its source to wait. */
const highWater = 262_144

/** Writes bytes that are only valid now; returns false when the source should wait for the socket's `drain`. */
export const writeBytes = (socket: Socket, bytes: Buffer): boolean => {
  if (bytes.length <= stringLimit) socket.write(bytes.latin1Slice(0, bytes.length), 'latin1')
  else if (bytes.length > slabSize) socket.write(Buffer.from(bytes))
  else {
    const slab = free.pop() ?? Buffer.allocUnsafeSlow(slabSize)
    bytes.copy(slab)
    socket.write(slab.subarray(0, bytes.length), () => {
      if (free.length < maxFreeSlabs) free.push(slab)
    })
  }
  return socket.writableLength < highWater
}

/** Writes text whose characters are bytes (latin1), followed by bytes, in one system call where they are small. */
export const writeTextAndBytes = (socket: Socket, text: string, bytes: Buffer, after: string): boolean => {
  if (text.length + bytes.length <= stringLimit) {
    socket.write(text + bytes.latin1Slice(0, bytes.length) + after, 'latin1')
    return socket.writableLength < highWater
  }
  socket.cork()
  if (text !== '') socket.write(text, 'latin1')
  writeBytes(socket, bytes)
  if (after !== '') socket.write(after, 'latin1')
  socket.uncork()
  return socket.writableLength < highWater
}
