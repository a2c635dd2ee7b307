import { GatewayError } from '#base/errors'
import type { Call } from '#gateway/call'
import { getHeader, isToken } from '#http/headers'
import { decodeBytes, toBytes } from './query-string.ts'

/**
 * A value with placeholders, `user-{consumer.name}`; `{{` and `}}` stand for braces. It is compiled once, when the
 * configuration loads. Results are byte strings (text is UTF-8) without control characters, so that no value of a
 * request can break out of the header or query it is put into.
 */
export type Template = (call: Call) => string | null

type Part = { readonly literal: string } | { readonly name: string }

const controls = /[\x00-\x08\x0a-\x1f\x7f]/

/** Splits at placeholders; returns what is wrong as text. */
const parse = (text: string): readonly Part[] | string => {
  if (controls.test(text)) return 'holds a line break or another control character'
  const parts: Part[] = []
  let literal = ''
  const flush = () => {
    if (literal !== '') parts.push({ literal })
    literal = ''
  }
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string
    if ((char === '{' || char === '}') && text[i + 1] === char) {
      literal += char
      i++
    } else if (char === '}') return 'holds a } without its {: write }} for the character itself'
    else if (char === '{') {
      const end = text.indexOf('}', i)
      if (end < 0) return 'holds a { without its }: write {{ for the character itself'
      flush()
      parts.push({ name: text.slice(i + 1, end) })
      i = end
    } else literal += char
  }
  flush()
  return parts
}

const placeholders = '{params.<name>}, {headers.<name>}, {consumer.name}, {requestId} and {clientAddress}'

const textBytes = (text: string | undefined): string | undefined => (text === undefined ? undefined : toBytes(text))

/** What one placeholder stands for, as a byte string; undefined when there is no such placeholder. */
const lookup = (name: string): ((call: Call) => string | undefined) | undefined => {
  if (name === 'requestId') return call => call.requestId
  if (name === 'clientAddress') return call => call.clientAddress
  if (name === 'consumer.name') return call => textBytes(call.consumer?.name)
  const dot = name.indexOf('.')
  const key = name.slice(dot + 1)
  if (name.startsWith('params.') && key !== '')
    return ({ params }) => (Object.hasOwn(params, key) ? decodeBytes(params[key] as string) : undefined)
  if (name.startsWith('headers.') && isToken(key)) {
    const header = key.toLowerCase()
    return call => getHeader(call.headers, header)
  }
  return undefined
}

/** What is wrong with a template, or null. `bareParams`: `{id}` is allowed and means `{params.id}`. */
export const templateProblem = (text: string, bareParams = false): string | null => {
  const parts = parse(text)
  if (typeof parts === 'string') return parts
  for (const part of parts)
    if ('name' in part && !(bareParams && /^\w+$/.test(part.name)) && !lookup(part.name))
      return `has an unknown placeholder {${part.name}}: there are ${placeholders}`
  return null
}

export type TemplateOptions = {
  /** Applied to what is put in, not to the text around it. */
  readonly encode?: (bytes: string) => string
  readonly bareParams?: boolean
  /** What becomes of a call whose value holds control characters: 400, or it counts as empty. */
  readonly hostile?: 'refuse' | 'drop'
}

/** Compiles a template that has no problem. The result is null when a placeholder has no value in this call. */
export const compileTemplate = (text: string, options: TemplateOptions = {}): Template => {
  const { encode = bytes => bytes, bareParams = false, hostile = 'refuse' } = options
  const parts = parse(text)
  if (typeof parts === 'string') throw new Error(`the template ${parts}`)
  const pieces = parts.map((part): Template => {
    if ('literal' in part) {
      const bytes = toBytes(part.literal)
      return () => bytes
    }
    const { name } = part
    const find = lookup(bareParams && !name.includes('.') ? `params.${name}` : name)
    if (!find) throw new Error(`the template has an unknown placeholder {${name}}`)
    return call => {
      const value = find(call)
      if (value === undefined || value === '') return null
      if (controls.test(value) && hostile === 'drop') return null
      if (controls.test(value))
        throw new GatewayError('bad-request', { detail: 'A part of the request holds control characters.' })
      return encode(value)
    }
  })
  if (pieces.length === 0) return () => ''
  if (pieces.length === 1) return pieces[0] as Template
  return call => {
    let result = ''
    for (const piece of pieces) {
      const value = piece(call)
      if (value === null) return null
      result += value
    }
    return result
  }
}
