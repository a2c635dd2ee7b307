/** What a proxy is asked to do in one case; the same for each of them. */
export type Features = {
  /** Check the key header against a table. */
  key: boolean
  /** Limit the rate per key (so high that nothing is refused), and log every call. */
  limitAndLog: boolean
  /** Routes in the table. */
  routes: number
  /** Clients speak HTTP/2 without TLS; the origin is spoken to in HTTP/1.1. */
  http2?: boolean
  /** Clients speak TLS; the origin is spoken to without. */
  tls?: boolean
  /** Calls of gRPC, to an origin with HTTP/2; together with `http2`. */
  grpc?: boolean
  /** Event loops or processes that serve; one unless told otherwise. */
  workers?: number
}

export const keyHeader = { name: 'x-api-key', value: 'bench-key' }

/** The path of route `index` when there are many. */
export const routePath = (index: number): string => `/service-${index % 97}/resource-${index}/items`

export type RunningSubject = { port: number; pid: number; stop(): Promise<void> }

/** A proxy that can be measured. */
export type Subject = {
  name: string
  /** Why it has no part in a case, or null. */
  lacks(features: Features): string | null
  start(features: Features, originPort: number, core: number): Promise<RunningSubject>
}
