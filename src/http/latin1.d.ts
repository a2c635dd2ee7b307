interface Buffer {
  /** Documented nowhere but public in every Node: the call behind `toString('latin1')`, without its checks. */
  latin1Slice(start?: number, end?: number): string
  /** The same the other way round, behind `write(…, 'latin1')`. */
  latin1Write(text: string, offset: number, length?: number): number
}
