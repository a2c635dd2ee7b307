import type { CallFilter, CallRecord } from './calls.ts'

/** Whether a text is a status filter: `404`, `5xx` or `error`. */
export const isStatusFilter = (text: string): boolean => /^([1-9]\d\d|[1-9]xx|error)$/.test(text)

/** The lowest and highest status that a status filter means; null for a text that is none. */
export const statusRange = (text: string): [number, number] | null => {
  if (!isStatusFilter(text)) return null
  if (text === 'error') return [400, 999]
  const first = Number(text.replace('xx', '00'))
  return [first, text.endsWith('xx') ? first + 99 : first]
}

/** Makes the test that a record has to pass; a status that is no status filter lets nothing pass. */
export const compileFilter = (filter: CallFilter): ((record: CallRecord) => boolean) => {
  const tests: ((record: CallRecord) => boolean)[] = []
  for (const name of ['service', 'route', 'consumer', 'method'] as const) {
    const wanted = filter[name]
    if (wanted !== undefined) tests.push(record => record[name] === wanted)
  }
  if (filter.status !== undefined) {
    const [low, high] = statusRange(filter.status) ?? [1, 0]
    tests.push(record => record.status >= low && record.status <= high)
  }
  const { from, to, q } = filter
  if (from !== undefined) tests.push(record => record.startedAt >= from)
  if (to !== undefined) tests.push(record => record.startedAt < to)
  if (q) {
    const needle = q.toLowerCase()
    tests.push(
      record =>
        record.path.toLowerCase().includes(needle) ||
        record.requestId.toLowerCase().includes(needle) ||
        record.consumer.toLowerCase().includes(needle) ||
        record.errorCode.toLowerCase().includes(needle) ||
        record.model.toLowerCase().includes(needle),
    )
  }
  return record => tests.every(test => test(record))
}
