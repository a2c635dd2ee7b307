/** The few pieces of DER (X.690 §10) that a certificate signing request is made of. */
const value = (tag: number, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts)
  const { length } = body
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  if (length > 0xffff) throw new RangeError('Too large a value for this writer')
  return Buffer.concat([Buffer.from([tag, ...size]), body])
}

export const sequence = (...parts: Buffer[]): Buffer => value(0x30, ...parts)
export const set = (...parts: Buffer[]): Buffer => value(0x31, ...parts)
export const octets = (body: Buffer): Buffer => value(0x04, body)
export const bits = (body: Buffer): Buffer => value(0x03, Buffer.from([0]), body)
export const text = (body: string): Buffer => value(0x0c, Buffer.from(body))
export const smallInteger = (number: number): Buffer => value(0x02, Buffer.from([number]))
/** A value with a context-specific tag, constructed or not. */
export const tagged = (number: number, body: Buffer, constructed: boolean): Buffer =>
  value(0x80 | (constructed ? 0x20 : 0) | number, body)

/** An object identifier in dotted form. */
export const oid = (dotted: string): Buffer => {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second]
  for (const arc of rest) {
    const digits = [arc & 0x7f]
    for (let left = arc >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80)
    bytes.push(...digits)
  }
  return value(0x06, Buffer.from(bytes))
}
