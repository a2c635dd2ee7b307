import { monotonicMs } from '#base/clock'
import type { AiUsage } from '#gateway/call'
import type { ResponseFilter } from '#gateway/forward'
import { type JsonObject, jsonMembers, type Member } from '../../json-members.ts'
import { cutMember, splice } from '../../splice-json.ts'
import { type SseEvent, SseSplitter } from '../../sse-events.ts'
import { noteUsage } from './usage.ts'

/** Whether a delta carries anything that was generated; the first one of a stream only names the role. */
const saysSomething = (delta: unknown): boolean =>
  typeof delta === 'object' &&
  delta !== null &&
  Object.entries(delta).some(
    ([name, value]) => name !== 'role' && value !== null && value !== '' && value !== undefined,
  )

const parsedValue = (bytes: Buffer, member: Member): unknown =>
  JSON.parse(bytes.toString('utf8', member.start, member.end))

const hasOutput = (choices: unknown): boolean =>
  Array.isArray(choices) && choices.some(choice => saysSomething((choice as { delta?: unknown } | null)?.delta))

/** Looked for before a chunk is scanned: in most chunks of most streams there is nothing more to find. */
const usageName = Buffer.from('"usage"')

const readChunk = (data: Buffer): JsonObject | null => {
  try {
    return jsonMembers(data, ['choices', 'usage'])
  } catch {
    return null
  }
}

/**
 * Reads usage and the time of the first token from a stream of chat completion chunks. With `hideUsage` it takes out
 * what comes of a wish that was not the caller's: the chunk that holds nothing but usage, and `"usage":null` in all
 * others. Every other byte passes; without `hideUsage` all do, at once.
 */
export const streamFilter = (ai: AiUsage, hideUsage: boolean): ResponseFilter => {
  const splitter = new SseSplitter()

  /** Notes what an event says and returns what is sent for it. */
  const pass = (event: SseEvent): Buffer | null => {
    const { raw, data, dataAt } = event
    if (data === null || data[0] !== 0x7b) return raw
    if (ai.firstTokenAt !== null && !data.includes(usageName)) return raw
    const chunk = readChunk(data)
    if (chunk === null) return raw
    const choices = chunk.members.get('choices')
    const usage = chunk.members.get('usage')
    if (choices !== undefined && ai.firstTokenAt === null && hasOutput(parsedValue(data, choices)))
      ai.firstTokenAt = monotonicMs()
    if (usage === undefined) return raw
    const value = parsedValue(data, usage)
    if (value !== null) {
      noteUsage(ai, value)
      const alone = choices !== undefined && (parsedValue(data, choices) as { length?: unknown })?.length === 0
      return hideUsage && alone ? null : raw
    }
    if (!hideUsage || dataAt < 0) return raw
    const { start, end } = cutMember(data, usage)
    return splice(raw, [{ start: dataAt + start, end: dataAt + end, text: '' }])
  }

  const passAll = (events: readonly SseEvent[]): Buffer | null => {
    const pieces = events.map(pass).filter(piece => piece !== null)
    if (pieces.length <= 1) return pieces[0] ?? null
    return Buffer.concat(pieces)
  }

  return {
    rewrites: hideUsage,
    data(chunk) {
      const rewritten = passAll(splitter.push(chunk))
      return hideUsage ? rewritten : chunk
    },
    end() {
      const last = splitter.end()
      const rewritten = last === null ? null : pass(last)
      return hideUsage ? rewritten : null
    },
  }
}
