import { GatewayError } from '#base/errors'

const padding = 0x3d

const wrong = (): GatewayError => new GatewayError('invalid-body', { detail: 'The body is not valid base64.' })

const decode = (bytes: Buffer): Buffer => {
  const unpadded =
    bytes.length - (bytes[bytes.length - 1] === padding ? (bytes[bytes.length - 2] === padding ? 2 : 1) : 0)
  const decoded = Buffer.from(bytes.latin1Slice(), 'base64')
  if (decoded.length !== Math.floor((unpadded * 3) / 4)) throw wrong()
  return decoded
}

/**
 * Decodes base64 as it arrives. Padding may stand at the end of any group of four, not only of the last one
 * (gRPC-Web, "Text-encoded (response) streams" 2). Throws `invalid-body`.
 */
export class Base64Decoder {
  #rest: Buffer | null = null

  data(chunk: Buffer): Buffer | null {
    const bytes = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk])
    const whole = bytes.length - (bytes.length % 4)
    this.#rest = whole === bytes.length ? null : Buffer.from(bytes.subarray(whole))
    if (whole === 0) return null
    const pieces: Buffer[] = []
    let start = 0
    while (start < whole) {
      const padded = bytes.indexOf(padding, start)
      const end = padded < 0 || padded >= whole ? whole : padded - (padded % 4) + 4
      pieces.push(decode(bytes.subarray(start, end)))
      start = end
    }
    return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces)
  }

  end(): void {
    if (this.#rest !== null) throw wrong()
  }
}

/** One piece of a text stream: padded by itself, so that nothing of it waits for the next one. */
export const encodeBase64 = (bytes: Buffer): Buffer => Buffer.from(bytes.toString('base64'), 'latin1')
