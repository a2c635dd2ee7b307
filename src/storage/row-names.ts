import type { CallRecord } from './calls.ts'

/** The length byte of a string below 128 bytes, as a character (LEB128 of one byte). */
export const lengthPrefix: readonly string[] = Array.from({ length: 128 }, (_, length) => String.fromCharCode(length))

const maxKnown = 1024
const shortAscii = /^[\x00-\x7f]{0,127}$/

type Known = {
  service: string
  consumer: string
  method: string
  target: string
  errorCode: string
  errorSource: string
  model: string
  provider: string
  /** The columns from `service` to `provider` in RowBinary; null when one of them is long or not ASCII. */
  text: string | null
}

const encode = (record: CallRecord): string | null => {
  const { service, route, consumer, method, target, errorCode, errorSource, model, provider } = record
  const names = [service, route, consumer, method, target, errorCode, errorSource, model, provider]
  if (!names.every(name => shortAscii.test(name))) return null
  const text = names.map(name => lengthPrefix[name.length] + name).join('')
  // Flat once for all the rows that will hold it.
  return Buffer.from(text, 'latin1').latin1Slice()
}

/** The names in a row are mostly those of the row before on the same route: they are encoded once. */
export class RowNames {
  readonly #known = new Map<string, Known>()

  of(record: CallRecord): string | null {
    const known = this.#known.get(record.route)
    if (
      known !== undefined &&
      known.consumer === record.consumer &&
      known.method === record.method &&
      known.target === record.target &&
      known.service === record.service &&
      known.errorCode === record.errorCode &&
      known.errorSource === record.errorSource &&
      known.model === record.model &&
      known.provider === record.provider
    )
      return known.text
    const { service, consumer, method, target, errorCode, errorSource, model, provider } = record
    if (this.#known.size >= maxKnown) this.#known.clear()
    const text = encode(record)
    this.#known.set(record.route, {
      service,
      consumer,
      method,
      target,
      errorCode,
      errorSource,
      model,
      provider,
      text,
    })
    return text
  }
}
