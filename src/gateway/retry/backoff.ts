/**
 * Milliseconds to wait before repetition number `retry` (0 is the first): a random part of a time that doubles up to
 * `max` ("full jitter"), so that callers that failed together do not come back together.
 */
export const backoff = (retry: number, base: number, max: number, random: () => number = Math.random): number =>
  random() * Math.min(max, base * 2 ** retry)

/**
 * Milliseconds that Retry-After asks for (RFC 9110 §10.2.3: seconds or a date); 0 when it is absent or makes no sense.
 * `now` is wall-clock time.
 */
export const retryAfter = (value: string | undefined, now: number): number => {
  if (value === undefined) return 0
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000
  const date = Date.parse(value)
  return Number.isNaN(date) ? 0 : Math.max(0, date - now)
}
