import type { GrpcOrigin } from '../grpc/grpc-origin.ts'
import { http2Call } from '../grpc/http-call.ts'
import type { GrpcCase } from './cases/grpc.ts'

/** The part of the gateway's paths that belongs to the origin that speaks gRPC. */
export const grpcPath = '/pkg.Echo'

/** Plays a case; the reason why it fails, or null. */
export const playGrpc = async (port: number, origin: GrpcOrigin, entry: GrpcCase): Promise<string | null> => {
  origin.calls.length = 0
  origin.answer = entry.answer
  const fields = { 'content-type': 'application/grpc', te: 'trailers', ...entry.fields }
  try {
    const answer = await http2Call(port, `${grpcPath}/Say`, fields, [entry.body])
    const [call] = origin.calls
    if (call === undefined)
      return `the call did not reach the origin: ${JSON.stringify([answer.status, answer.headers, answer.trailers])}`
    entry.check(answer, call)
    return null
  } catch (error) {
    return (error as Error).message.split('\n')[0] as string
  }
}
