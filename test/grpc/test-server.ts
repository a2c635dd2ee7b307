import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { definitions, type Fields, testService, zeros } from './test-service.ts'

/** What the server saw of one call. */
export type SeenCall = {
  readonly method: string
  readonly metadata: Metadata
  /** Whether the caller (here: the gateway) cancelled it. */
  cancelled: boolean
  /** Milliseconds the server was given, Infinity without a deadline. */
  readonly timeout: number
  readonly messages: Fields[]
}

type AnyCall = {
  metadata: Metadata
  getDeadline(): Date | number
  sendMetadata(metadata: Metadata): void
  on(event: 'cancelled', listener: () => void): unknown
}

export type GrpcTestServer = {
  readonly url: string
  readonly port: number
  readonly calls: SeenCall[]
  /** The latest call, once there is one that `wanted` likes. */
  seen(wanted: (call: SeenCall) => boolean): Promise<SeenCall>
  stop(): void
}

const initial = 'x-grpc-test-echo-initial'
const trailing = 'x-grpc-test-echo-trailing-bin'

type Parameters = { size: number; intervalUs: number }
type EchoStatus = { code: number; message: string }

const statusOf = (fields: Fields): EchoStatus | undefined => fields['responseStatus'] as EchoStatus | undefined

/** The server of gRPC's interop tests on @grpc/grpc-js (grpc/doc/interop-test-descriptions.md, "Server"). */
export const startGrpcServer = async (credentials = ServerCredentials.createInsecure()): Promise<GrpcTestServer> => {
  const calls: SeenCall[] = []
  const waiting: { wanted: (call: SeenCall) => boolean; resolve: (call: SeenCall) => void }[] = []
  const tell = (): void => {
    for (const entry of [...waiting]) {
      const found = calls.findLast(entry.wanted)
      if (found === undefined) continue
      waiting.splice(waiting.indexOf(entry), 1)
      entry.resolve(found)
    }
  }

  const begin = (method: string, call: AnyCall): { seen: SeenCall; trailers: Metadata } => {
    const deadline = call.getDeadline()
    const timeout = deadline === Number.POSITIVE_INFINITY ? deadline : Number(deadline) - Date.now()
    const seen: SeenCall = { method, metadata: call.metadata, cancelled: false, timeout, messages: [] }
    calls.push(seen)
    call.on('cancelled', () => {
      seen.cancelled = true
      tell()
    })
    const echoed = new Metadata()
    for (const value of call.metadata.get(initial)) echoed.add(initial, value)
    call.sendMetadata(echoed)
    const trailers = new Metadata()
    for (const value of call.metadata.get(trailing)) trailers.add(trailing, value)
    tell()
    return { seen, trailers }
  }

  const note = (seen: SeenCall, fields: Fields): void => {
    seen.messages.push(fields)
    tell()
  }

  const unary =
    (method: string, answer: (request: Fields) => Fields) =>
    (call: ServerUnaryCall<Fields, Fields>, reply: sendUnaryData<Fields>): void => {
      const { seen, trailers } = begin(method, call)
      note(seen, call.request)
      const status = statusOf(call.request)
      if (status !== undefined && status.code !== 0)
        reply({ code: status.code, details: status.message, metadata: trailers })
      else reply(null, answer(call.request), trailers)
    }

  const stream = async (
    call: ServerWritableStream<Fields, Fields> | ServerDuplexStream<Fields, Fields>,
    request: Fields,
  ): Promise<void> => {
    for (const { size, intervalUs } of (request['responseParameters'] ?? []) as Parameters[]) {
      if (intervalUs > 0) await new Promise(wake => setTimeout(wake, intervalUs / 1000).unref())
      if (call.cancelled) return
      if (!call.write({ payload: zeros(size) }) && !call.destroyed)
        await new Promise<void>(resume => {
          call.once('drain', resume)
          call.once('cancelled', resume)
        })
    }
  }

  const finish = (
    call: ServerWritableStream<Fields, Fields> | ServerDuplexStream<Fields, Fields>,
    status: EchoStatus | undefined,
    trailers: Metadata,
  ): void => {
    if (status !== undefined && status.code !== 0)
      call.emit('error', { code: status.code, details: status.message, metadata: trailers })
    else call.end(trailers)
  }

  const handlers: UntypedServiceImplementation = {
    EmptyCall: unary('EmptyCall', () => ({})),
    UnaryCall: unary('UnaryCall', request => ({ payload: zeros(Number(request['responseSize'])) })),
    StreamingInputCall(call: ServerReadableStream<Fields, Fields>, reply: sendUnaryData<Fields>) {
      const { seen, trailers } = begin('StreamingInputCall', call)
      let size = 0
      call.on('data', (request: Fields) => {
        note(seen, request)
        size += (request['payload'] as { body: Uint8Array } | undefined)?.body.length ?? 0
      })
      call.on('end', () => reply(null, { aggregatedPayloadSize: size }, trailers))
    },
    async StreamingOutputCall(call: ServerWritableStream<Fields, Fields>) {
      const { seen, trailers } = begin('StreamingOutputCall', call)
      note(seen, call.request)
      await stream(call, call.request)
      finish(call, statusOf(call.request), trailers)
    },
    FullDuplexCall(call: ServerDuplexStream<Fields, Fields>) {
      const { seen, trailers } = begin('FullDuplexCall', call)
      // Each answer waits for the one before; an iterator would destroy the call when the caller has no more to say.
      let answered = Promise.resolve()
      let failed = false
      call.on('data', (request: Fields) => {
        note(seen, request)
        answered = answered.then(async () => {
          if (failed) return
          const status = statusOf(request)
          failed = status !== undefined && status.code !== 0
          if (failed) finish(call, status, trailers)
          else await stream(call, request)
        })
      })
      call.on('end', () => {
        answered = answered.then(() => {
          if (!failed) finish(call, undefined, trailers)
        })
      })
    },
  }

  const server = new Server({ 'grpc.max_receive_message_length': -1 })
  const { UnimplementedCall: _, ...implemented } = definitions(testService)
  server.addService(implemented, handlers)
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', credentials, (error, taken) => (error === null ? resolve(taken) : reject(error))),
  )
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    calls,
    seen: wanted =>
      new Promise(resolve => {
        waiting.push({ wanted, resolve })
        tell()
      }),
    stop: () => server.forceShutdown(),
  }
}
