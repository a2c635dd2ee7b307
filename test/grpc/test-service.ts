import {
  create,
  createFileRegistry,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type Message,
  toBinary,
} from '@bufbuild/protobuf'
import {
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt'

/**
 * The service that gRPC's interop tests speak to, described while the tests run: names, numbers and types are those of
 * grpc/testing/test.proto, so that its descriptions can be followed to the letter.
 */
type Field = [name: string, number: number, type: string, repeated?: 'repeated']

const messages: Record<string, Field[]> = {
  Empty: [],
  Payload: [['body', 2, 'bytes']],
  EchoStatus: [
    ['code', 1, 'int32'],
    ['message', 2, 'string'],
  ],
  SimpleRequest: [
    ['response_size', 2, 'int32'],
    ['payload', 3, 'Payload'],
    ['response_status', 7, 'EchoStatus'],
  ],
  SimpleResponse: [['payload', 1, 'Payload']],
  StreamingInputCallRequest: [['payload', 1, 'Payload']],
  StreamingInputCallResponse: [['aggregated_payload_size', 1, 'int32']],
  ResponseParameters: [
    ['size', 1, 'int32'],
    ['interval_us', 2, 'int32'],
  ],
  StreamingOutputCallRequest: [
    ['response_parameters', 2, 'ResponseParameters', 'repeated'],
    ['payload', 3, 'Payload'],
    ['response_status', 7, 'EchoStatus'],
  ],
  StreamingOutputCallResponse: [['payload', 1, 'Payload']],
}

type Method = [name: string, input: string, output: string, clientStreams?: boolean, serverStreams?: boolean]

const methods: Method[] = [
  ['EmptyCall', 'Empty', 'Empty'],
  ['UnaryCall', 'SimpleRequest', 'SimpleResponse'],
  ['StreamingOutputCall', 'StreamingOutputCallRequest', 'StreamingOutputCallResponse', false, true],
  ['StreamingInputCall', 'StreamingInputCallRequest', 'StreamingInputCallResponse', true, false],
  ['FullDuplexCall', 'StreamingOutputCallRequest', 'StreamingOutputCallResponse', true, true],
  ['UnimplementedCall', 'Empty', 'Empty'],
]

const scalars: Record<string, Type> = { bytes: Type.BYTES, int32: Type.INT32, string: Type.STRING }

const field = ([name, number, type, repeated]: Field) => ({
  name,
  number,
  label: repeated === undefined ? Label.OPTIONAL : Label.REPEATED,
  jsonName: name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
  type: scalars[type] ?? Type.MESSAGE,
  ...(scalars[type] === undefined ? { typeName: `.grpc.testing.${type}` } : {}),
})

const method = ([name, input, output, clientStreaming = false, serverStreaming = false]: Method) => ({
  name,
  inputType: `.grpc.testing.${input}`,
  outputType: `.grpc.testing.${output}`,
  clientStreaming,
  serverStreaming,
})

const registry = createFileRegistry(
  create(FileDescriptorSetSchema, {
    file: [
      {
        name: 'grpc/testing/test.proto',
        package: 'grpc.testing',
        syntax: 'proto3',
        messageType: Object.entries(messages).map(([name, fields]) => ({ name, field: fields.map(field) })),
        service: [
          { name: 'TestService', method: methods.map(method) },
          { name: 'UnimplementedService', method: [method(['UnimplementedCall', 'Empty', 'Empty'])] },
        ],
      },
    ],
  }),
)

const serviceCalled = (name: string): DescService => {
  const found = registry.getService(`grpc.testing.${name}`)
  if (found === undefined) throw new Error(`There is no service ${name}`)
  return found
}

export const testService = serviceCalled('TestService')
export const unimplementedService = serviceCalled('UnimplementedService')

/** A message as the tests see it. */
export type Fields = Record<string, unknown>

const encode =
  (type: DescMessage) =>
  (fields: Fields): Buffer =>
    Buffer.from(toBinary(type, create(type, fields as never)))

const decode =
  (type: DescMessage) =>
  (bytes: Uint8Array): Fields =>
    fromBinary(type, bytes) as Message as unknown as Fields

/** A method as @grpc/grpc-js wants it, for servers and clients. */
const definition = (desc: DescMethod) => ({
  path: `/${desc.parent.typeName}/${desc.name}`,
  requestStream: desc.methodKind === 'client_streaming' || desc.methodKind === 'bidi_streaming',
  responseStream: desc.methodKind === 'server_streaming' || desc.methodKind === 'bidi_streaming',
  requestSerialize: encode(desc.input),
  requestDeserialize: decode(desc.input),
  responseSerialize: encode(desc.output),
  responseDeserialize: decode(desc.output),
  originalName: desc.localName,
})

/** The methods of a service by name, for `addService` and `makeGenericClientConstructor` of @grpc/grpc-js. */
export const definitions = (service: DescService): Record<string, ReturnType<typeof definition>> =>
  Object.fromEntries(service.methods.map(desc => [desc.name, definition(desc)]))

export const zeros = (size: number): Fields => ({ body: new Uint8Array(size) })
