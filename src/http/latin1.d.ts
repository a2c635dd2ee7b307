/** Node's fast path from bytes to a latin1 string, missing in its type definitions. */
interface Buffer {
  latin1Slice(start?: number, end?: number): string
}
