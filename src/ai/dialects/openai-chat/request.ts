import { GatewayError } from '#base/errors'
import { JsonError, type JsonObject, jsonMembers } from '../../json-members.ts'
import { addMember, type Edit, splice } from '../../splice-json.ts'

/** A request body of the OpenAI API with what the gateway must know of it. */
export type RequestBody = {
  readonly bytes: Buffer
  readonly object: JsonObject
  readonly model: string
  readonly stream: boolean
}

const invalid = (detail: string): GatewayError => new GatewayError('invalid-body', { detail })

const textOf = (bytes: Buffer, { start, end }: { start: number; end: number }): string =>
  bytes.toString('utf8', start, end)

/**
 * Reads `model` and `stream` of a request; nothing else is looked at but that the body is valid JSON.
 * @throws GatewayError `invalid-body`
 */
export const readRequest = (bytes: Buffer): RequestBody => {
  const object = membersOf(bytes, ['model', 'stream', 'stream_options'])
  const model = object.members.get('model')
  if (model === undefined) throw invalid('The request names no model.')
  if (bytes[model.start] !== 0x22) throw invalid('The member "model" must be a string.')
  const stream = object.members.get('stream')
  return {
    bytes,
    object,
    model: JSON.parse(textOf(bytes, model)),
    stream: stream !== undefined && textOf(bytes, stream) === 'true',
  }
}

/** The members of the body, or of an object inside it; what is wrong with them is the caller's mistake. */
const membersOf = (bytes: Buffer, wanted: readonly string[], start?: number, end?: number): JsonObject => {
  try {
    return jsonMembers(bytes, wanted, start, end)
  } catch (error) {
    if (error instanceof JsonError)
      throw invalid(`The request body is not a valid JSON object: ${error.message} (byte ${error.at}).`)
    throw error
  }
}

const withUsage = '"include_usage":true'

/** The edit that makes a stream end with its usage; null when the caller asked for it, or wrote what is not an object. */
const askForUsage = ({ bytes, object }: RequestBody): Edit | null => {
  const options = object.members.get('stream_options')
  if (options === undefined) return addMember(object, 'stream_options', `{${withUsage}}`)
  if (textOf(bytes, options) === 'null') return { start: options.start, end: options.end, text: `{${withUsage}}` }
  if (bytes[options.start] !== 0x7b) return null
  const inner = membersOf(bytes, ['include_usage'], options.start, options.end)
  const asked = inner.members.get('include_usage')
  if (asked === undefined) return addMember(inner, 'include_usage', 'true')
  const value = textOf(bytes, asked)
  return value === 'false' || value === 'null' ? { start: asked.start, end: asked.end, text: 'true' } : null
}

export type PreparedRequest = {
  readonly body: Buffer
  /** The gateway asked for usage and the caller did not: what comes of it must not reach the caller. */
  readonly hideUsage: boolean
}

/**
 * The body for the provider: byte for byte the caller's, but for the name of the model and a wish for usage.
 * @throws GatewayError `invalid-body`
 */
export const prepareRequest = (request: RequestBody, model: string, wantsUsage: boolean): PreparedRequest => {
  const edits: Edit[] = []
  const named = request.object.members.get('model')
  if (named !== undefined && request.model !== model)
    edits.push({ start: named.start, end: named.end, text: JSON.stringify(model) })
  const usage = wantsUsage && request.stream ? askForUsage(request) : null
  if (usage !== null) edits.push(usage)
  edits.sort((a, b) => a.start - b.start)
  return { body: splice(request.bytes, edits), hideUsage: usage !== null }
}
