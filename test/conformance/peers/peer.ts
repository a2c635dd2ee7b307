/** A proxy in front of the origin of the cases, in its usual configuration. */
export type RunningPeer = {
  readonly port: number
  /** Where HTTP/2 without TLS is spoken from the first byte; null where the peer has none. */
  readonly h2Port: number | null
  stop(): Promise<void>
}

export type Peer = {
  readonly name: string
  /** As the program tells it. */
  version(): string
  /** `grpcPort` is that of the origin behind `/pkg.Echo`, which speaks HTTP/2. */
  start(originPort: number, grpcPort: number): Promise<RunningPeer>
}
