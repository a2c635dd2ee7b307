import type { AiUsage } from '#gateway/call'
import type { ResponseFilter } from '#gateway/forward'
import { jsonMembers } from '../../json-members.ts'
import { noteUsage } from './usage.ts'

const largestAnswer = 16 * 1024 * 1024

/** Lets a whole answer pass untouched and reads the usage from a copy; of answers above 16 MB it reads nothing. */
export const answerFilter = (ai: AiUsage): ResponseFilter => {
  let copies: Buffer[] = []
  let length = 0
  return {
    rewrites: false,
    data(chunk) {
      length += chunk.length
      if (length <= largestAnswer) copies.push(Buffer.from(chunk))
      else copies = []
      return chunk
    },
    end() {
      if (length <= largestAnswer) readUsage(ai, Buffer.concat(copies))
      return null
    },
    abort() {
      copies = []
    },
  }
}

const readUsage = (ai: AiUsage, answer: Buffer): void => {
  try {
    const usage = jsonMembers(answer, ['usage']).members.get('usage')
    if (usage !== undefined) noteUsage(ai, JSON.parse(answer.toString('utf8', usage.start, usage.end)))
  } catch {
    // Not a JSON object: the caller gets it all the same, and what it cost stays unknown.
  }
}
