const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 }

const largestValue = 99_999_999

/**
 * Milliseconds of a `grpc-timeout` (gRPC over HTTP2, "Requests": at most eight digits and a unit); null when it is
 * malformed. A caller whose time has just run out may send zero.
 */
export const readGrpcTimeout = (text: string): number | null => {
  const match = /^(\d{1,8})([HMSmun])$/.exec(text)
  return match === null ? null : Number(match[1]) * (unitMs[match[2] as string] as number)
}

/** Milliseconds as a `grpc-timeout` in the finest unit that holds them; rounded down, so that no hop waits longer. */
export const grpcTimeout = (ms: number): string => {
  for (const unit of ['u', 'm', 'S', 'M']) {
    const value = Math.floor(ms / (unitMs[unit] as number))
    if (value <= largestValue) return `${Math.max(value, 1)}${unit}`
  }
  return `${Math.min(Math.floor(ms / 3_600_000), largestValue)}H`
}
