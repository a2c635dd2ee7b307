import { getHeader, type HeaderList } from '../headers.ts'
import { messageFrame, readFrames } from './frames.ts'

/** The method of the health-checking protocol (grpc/doc/health-checking.md). */
export const healthCheckTarget = '/grpc.health.v1.Health/Check'

/** What a call of it has beside the fields of every request; the engine adds `te: trailers`. */
export const healthCheckHeaders: HeaderList = ['content-type', 'application/grpc']

export type ServingStatus = 'UNKNOWN' | 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN'

const statuses: readonly ServingStatus[] = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']

const varint = (value: number): number[] => {
  const bytes: number[] = []
  let rest = value
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80)
    rest >>>= 7
  }
  return [...bytes, rest]
}

/** The body of a check: HealthCheckRequest, whose field 1 names a service; empty asks about the server as a whole. */
export const healthCheckBody = (service: string): Buffer => {
  const name = Buffer.from(service)
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name])
  return messageFrame(message)
}

/** Reads a varint at `at`: its value (the low 32 bits) and where it ends; null when it is cut or too long. */
const readVarint = (bytes: Buffer, at: number): { value: number; end: number } | null => {
  let value = 0
  for (let i = 0; i < 10; i++) {
    const byte = bytes[at + i]
    if (byte === undefined) return null
    if (i < 5) value |= (byte & 0x7f) << (i * 7)
    if (byte < 0x80) return { value, end: at + i + 1 }
  }
  return null
}

/** Where the field of this wire type ends that begins at `at`; null for one that is cut or unknown. */
const fieldEnd = (bytes: Buffer, wireType: number, at: number): number | null => {
  if (wireType === 0) return readVarint(bytes, at)?.end ?? null
  if (wireType === 1) return at + 8
  if (wireType === 5) return at + 4
  const length = wireType === 2 ? readVarint(bytes, at) : null
  return length === null || length.value < 0 ? null : length.end + length.value
}

/** HealthCheckResponse: an enumeration in field 1; null when it cannot be read. */
const readMessage = (message: Buffer): ServingStatus | null => {
  let status = 0
  let at = 0
  while (at < message.length) {
    const tag = readVarint(message, at)
    if (tag === null) return null
    const end = fieldEnd(message, tag.value & 7, tag.end)
    if (end === null || end > message.length) return null
    if (tag.value === 0x08) status = readVarint(message, tag.end)?.value ?? 0
    at = end
  }
  return statuses[status] ?? 'UNKNOWN'
}

/** A whole answer to a check. */
export type HealthCheckAnswer = {
  readonly status: number
  readonly headers: HeaderList
  readonly body: Buffer
  readonly trailers: HeaderList | null
}

/**
 * What a server says of itself; null when the call failed or the answer makes no sense. Healthy is `SERVING` alone. A
 * server that does not know the service by name answers with NOT_FOUND.
 */
export const readHealthCheck = ({ status, headers, body, trailers }: HealthCheckAnswer): ServingStatus | null => {
  const grpcStatus = getHeader(trailers ?? headers, 'grpc-status') ?? getHeader(headers, 'grpc-status')
  if (grpcStatus === '5') return 'SERVICE_UNKNOWN'
  if (status !== 200 || grpcStatus !== '0') return null
  const frames = readFrames(body)
  const first = frames?.[0]
  if (frames?.length !== 1 || first === undefined || first.flags !== 0) return null
  return readMessage(first.payload)
}
