import { getSystemErrorName } from 'node:util'

export type WriteRequest = { oncomplete: ((status: number) => void) | null; handle: unknown }
export type ShutdownRequest = { oncomplete: ((status: number) => void) | null; handle: unknown }

type AddressOut = { address?: string; port?: number }

/** A connection below `net.Socket`, as far as it is used here. All results are 0 or a negative system error. */
export type StreamHandle = {
  readonly bytesWritten: number
  readonly writeQueueSize: number
  onread: ((this: unknown, buffer: unknown) => void) | null
  useUserBuffer(buffer: Uint8Array): void
  readStart(): number
  readStop(): number
  writeLatin1String(request: WriteRequest, text: string): number
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number
  writev(request: WriteRequest, chunks: unknown[], allBuffers: boolean): number
  shutdown(request: ShutdownRequest): number
  reset(closed: () => void): number
  close(closed: () => void): void
  setNoDelay(on: boolean): number
  getpeername(out: AddressOut): number
}

export type StreamWrap = {
  WriteWrap: new () => WriteRequest
  ShutdownWrap: new () => ShutdownRequest
  streamBaseState: ArrayLike<number>
  kReadBytesOrError: number
  kLastWriteWasAsync: number
}

const methods = [
  ...['useUserBuffer', 'readStart', 'readStop', 'writeLatin1String', 'writeBuffer', 'writev', 'shutdown', 'reset'],
  ...['close', 'setNoDelay', 'getpeername'],
]

/** Whether a handle has everything that is used of it. */
export const isStreamHandle = (handle: unknown): handle is StreamHandle =>
  typeof handle === 'object' &&
  handle !== null &&
  methods.every(name => typeof (handle as Record<string, unknown>)[name] === 'function')

const find = (): StreamWrap | null => {
  try {
    const { binding } = process as unknown as { binding?: (name: string) => Partial<StreamWrap> }
    const found = binding?.('stream_wrap')
    const state = found?.streamBaseState
    const usable =
      typeof found?.WriteWrap === 'function' &&
      typeof found.ShutdownWrap === 'function' &&
      typeof state?.[found.kLastWriteWasAsync ?? -1] === 'number' &&
      typeof state[found.kReadBytesOrError ?? -1] === 'number'
    return usable ? (found as StreamWrap) : null
  } catch {
    return null
  }
}

/** What Node's own sockets are made with; null where Node's inside looks different from what is expected. */
export const streamWrap: StreamWrap | null = find()

/** A negative status as the error that Node would make of it. */
export const statusError = (status: number, call: string): NodeJS.ErrnoException => {
  const code = getSystemErrorName(status)
  return Object.assign(new Error(`${call} ${code}`), { code, errno: status, syscall: call })
}
