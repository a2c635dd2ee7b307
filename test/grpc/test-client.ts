import { once } from 'node:events'
import {
  type CallOptions,
  ChannelCredentials,
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientWritableStream,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js'
import { within } from '../harness.ts'
import { definitions, type Fields, testService, unimplementedService } from './test-service.ts'

/** Everything a caller learns of a call. */
export type Outcome = {
  readonly code: number
  readonly details: string
  readonly initial: Metadata
  readonly trailing: Metadata
  readonly messages: readonly Fields[]
}

type Method = (...args: unknown[]) => unknown

const optionsOf = (given: object): [Metadata, CallOptions] => {
  const { metadata = new Metadata(), ...options } = given as CallOptions & { metadata?: Metadata }
  return [metadata, options]
}

/** Collects what a call gives until it is over. */
export const outcomeOf = (
  call: ClientReadableStream<Fields> | ClientDuplexStream<Fields, Fields>,
): Promise<Outcome> => {
  let initial = new Metadata()
  const messages: Fields[] = []
  call.on('metadata', metadata => {
    initial = metadata
  })
  call.on('data', message => messages.push(message))
  call.on('error', () => {})
  return within(
    new Promise<Outcome>(resolve =>
      call.on('status', ({ code, details, metadata }: StatusObject) =>
        resolve({ code, details, initial, trailing: metadata, messages }),
      ),
    ),
    () => 'the end of a call',
  )
}

export type CallOptionsWithMetadata = CallOptions & { metadata?: Metadata }

/** A client of the test service on @grpc/grpc-js; options of the channel first. */
export const grpcClient = (
  address: string,
  credentials = ChannelCredentials.createInsecure(),
  channel: object = {},
) => {
  const Generic = makeGenericClientConstructor(
    { ...definitions(unimplementedService), ...definitions(testService) },
    'TestService',
  )
  const client: Client = new Generic(address, credentials, { 'grpc.max_receive_message_length': -1, ...channel })
  const methods = client as unknown as Record<string, Method>
  const method = (name: string): Method => (methods[name] as Method).bind(client)

  const single = (start: (done: (error: ServiceError | null, message?: Fields) => void) => unknown): Promise<Outcome> =>
    within(
      new Promise<Outcome>(resolve => {
        let initial = new Metadata()
        let message: Fields | undefined
        const call = start((_error, answer) => {
          message = answer
        }) as ClientWritableStream<Fields>
        call.on('metadata', metadata => {
          initial = metadata
        })
        call.on('status', ({ code, details, metadata }: StatusObject) =>
          // The callback comes after the status.
          setImmediate(() =>
            resolve({ code, details, initial, trailing: metadata, messages: message === undefined ? [] : [message] }),
          ),
        )
      }),
      () => 'the end of a call',
    )

  return {
    unary: (name: string, request: Fields = {}, options: CallOptionsWithMetadata = {}): Promise<Outcome> =>
      single(done => method(name)(request, ...optionsOf(options), done)),

    clientStream(options: CallOptionsWithMetadata = {}) {
      let call: ClientWritableStream<Fields> | undefined
      const outcome = single(done => {
        call = method('StreamingInputCall')(...optionsOf(options), done) as ClientWritableStream<Fields>
        return call
      })
      return { call: call as ClientWritableStream<Fields>, outcome }
    },

    serverStream(request: Fields, options: CallOptionsWithMetadata = {}) {
      const call = method('StreamingOutputCall')(request, ...optionsOf(options)) as ClientReadableStream<Fields>
      return { call, outcome: outcomeOf(call) }
    },

    duplex(options: CallOptionsWithMetadata = {}) {
      const call = method('FullDuplexCall')(...optionsOf(options)) as ClientDuplexStream<Fields, Fields>
      return { call, outcome: outcomeOf(call) }
    },

    close: () => client.close(),
  }
}

export type GrpcClient = ReturnType<typeof grpcClient>

/** The next message of a call that may go on. */
export const nextMessage = async (call: ClientDuplexStream<Fields, Fields>): Promise<Fields> => {
  const [message] = await within(once(call, 'data'), () => 'a message')
  return message
}
