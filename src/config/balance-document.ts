/** What consistent hashing looks at. */
export type HashKeyDocument =
  | { readonly from: 'header'; readonly name: string }
  | { readonly from: 'cookie'; readonly name: string }
  | { readonly from: 'ip' }
  | { readonly from: 'path' }
  | { readonly from: 'consumer' }

export type HashDocument = {
  readonly by: HashKeyDocument
  /** The most a target may have to do, as a multiple of its share; Infinity sets no bound. */
  readonly loadFactor: number
}

export type StickyDocument = {
  /** Name of the cookie. */
  readonly cookie: string
  /** Milliseconds; null lets the cookie end with the session of the browser. */
  readonly ttl: number | null
  /** Key of the hash that names a target; null takes the name of the service. */
  readonly secret: string | null
}

export type ActiveHealthDocument = {
  readonly type: 'http' | 'tcp' | 'grpc'
  readonly path: string
  readonly method: string
  /** Flat list of lower-case names and values. */
  readonly headers: readonly string[]
  /** Ranges of statuses that are healthy, both ends included. */
  readonly expect: readonly (readonly [from: number, to: number])[]
  /** Name of the gRPC service that is asked about; empty for the server as a whole. */
  readonly service: string
  /** Another port than that of the target; null for the same. */
  readonly port: number | null
  /** Milliseconds. */
  readonly interval: number
  readonly timeout: number
  /** Results in a row that change the state. */
  readonly healthyAfter: number
  readonly unhealthyAfter: number
  /** What a target is until its first checks. */
  readonly initial: 'healthy' | 'unhealthy'
}

export type PassiveHealthDocument = {
  /** Failures in a row that eject a target; null does not count them. */
  readonly failures: number | null
  readonly failureRate: {
    readonly percent: number
    /** Milliseconds. */
    readonly window: number
    readonly minimumCalls: number
  } | null
  /** Statuses that are failures. */
  readonly statuses: readonly number[]
  /** Milliseconds: the first ejection, and the longest one. */
  readonly ejectFor: number
  readonly maxEjectFor: number
  readonly maxEjectedPercent: number
}

export type HealthDocument = {
  readonly active: ActiveHealthDocument | null
  readonly passive: PassiveHealthDocument | null
}

export const balances = ['round-robin', 'least-requests', 'random-two', 'peak-ewma', 'consistent-hash'] as const

/** How calls are spread over the targets of an upstream, and which targets take part. */
export type BalanceDocument = {
  readonly balance: (typeof balances)[number]
  readonly hash: HashDocument
  readonly sticky: StickyDocument | null
  /** Milliseconds in which a new target, or one that came back, reaches its full share; 0 for at once. */
  readonly slowStart: number
  /** With fewer usable targets than this percentage all are used; 0 for never. */
  readonly panicThreshold: number
  readonly health: HealthDocument
}
