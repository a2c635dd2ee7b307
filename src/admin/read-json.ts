import type { z } from 'zod'
import { GatewayError } from '#base/errors'
import type { ServerExchange } from '#http/message'

/** Reads a JSON body of at most `limit` bytes and decodes it. Throws 413, or 400 naming what is wrong. */
export const readJson = async <Schema extends z.ZodType>(
  exchange: ServerExchange,
  limit: number,
  schema: Schema,
): Promise<z.output<Schema>> => {
  const result = schema.safeParse(parse(await readBody(exchange, limit)))
  if (result.success) return result.data
  const [issue] = result.error.issues
  const path = issue?.path.join('.') ?? ''
  throw new GatewayError('invalid-body', { detail: `${path === '' ? 'The body' : path}: ${issue?.message}` })
}

const parse = (bytes: Buffer): unknown => {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw new GatewayError('invalid-body', { detail: 'The body is not valid JSON' })
  }
}

const readBody = (exchange: ServerExchange, limit: number): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const tooLarge = (): GatewayError =>
      new GatewayError('body-too-large', { detail: `The body has at most ${limit} bytes here` })
    if (exchange.contentLength > limit) {
      reject(tooLarge())
      return
    }
    const chunks: Buffer[] = []
    let size = 0
    exchange.listener = { onAbort: reject, onDrain: () => {}, onFinish: () => {} }
    exchange.receive({
      onBodyData: chunk => {
        size += chunk.length
        if (size > limit) {
          chunks.length = 0
          reject(tooLarge())
        } else chunks.push(Buffer.from(chunk))
      },
      onBodyEnd: () => resolve(Buffer.concat(chunks)),
    })
  })
