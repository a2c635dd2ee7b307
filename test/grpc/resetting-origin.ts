import { type AddressInfo, createServer, type Socket } from 'node:net'
import { FrameReader } from '#http/http2/frame-reader'
import { clientPreface, flags, frameTypes } from '#http/http2/frames'

export type ResettingOrigin = {
  readonly url: string
  /** The code of RST_STREAM, and what is sent before it: a head and these bytes, or nothing. */
  plan: { code: number; body: Buffer | null }
  stop(): void
}

const frame = (type: number, frameFlags: number, stream: number, payload: Buffer): Buffer => {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = frameFlags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

const contentType = 'application/grpc'
/** `:status: 200` by its index, `content-type` by the index of its name (RFC 7541 §6.1, §6.2.2). */
const headBlock = Buffer.concat([Buffer.from([0x88, 0x0f, 0x10, contentType.length]), Buffer.from(contentType)])

/** An origin that resets every stream once its request is there; servers of libraries end their side before they do. */
export const startResettingOrigin = async (): Promise<ResettingOrigin> => {
  const origin = { plan: { code: 0, body: null } as ResettingOrigin['plan'] }
  const sockets = new Set<Socket>()
  const answer = (socket: Socket, stream: number): void => {
    const { code, body } = origin.plan
    const reset = Buffer.alloc(4)
    reset.writeUInt32BE(code)
    if (body !== null) {
      socket.write(frame(frameTypes.headers, flags.endHeaders, stream, headBlock))
      socket.write(frame(frameTypes.data, 0, stream, body))
    }
    socket.write(frame(frameTypes.rstStream, 0, stream, reset))
  }
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.write(frame(frameTypes.settings, 0, 0, Buffer.alloc(0)))
    const reader = new FrameReader()
    let preface = clientPreface.length
    socket.on('data', (bytes: Buffer) => {
      const skipped = Math.min(preface, bytes.length)
      preface -= skipped
      reader.feed(bytes, skipped, bytes.length, {
        onFrame(type, frameFlags, stream) {
          if (type === frameTypes.settings && (frameFlags & flags.ack) === 0)
            socket.write(frame(frameTypes.settings, flags.ack, 0, Buffer.alloc(0)))
          const carries = type === frameTypes.headers || type === frameTypes.data
          if (carries && (frameFlags & flags.endStream) !== 0) answer(socket, stream)
        },
      })
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return Object.assign(origin, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  })
}
