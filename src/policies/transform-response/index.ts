import { z } from 'zod'
import { definePolicy } from '#gateway/contract'
import { compileHeaderEdits, headerEditSchema } from '#policies/field-edits'

/** RFC 9110 §6.4.1: these have no content, so a body would be lost or left over. */
const withoutBody = new Set([204, 205, 304])

const statusProblem = (status: number): string | null => {
  if (!Number.isInteger(status) || status < 200 || status > 599) return 'is not a final status: 200 to 599'
  return withoutBody.has(status) ? 'cannot be changed: it decides whether there is a body' : null
}

const schema = z.strictObject({
  headers: headerEditSchema(['x-request-id'])
    .prefault({})
    .meta({
      description:
        'Changes of the response headers. Values may hold `{params.<name>}`, `{headers.<name>}` (of the request), ' +
        '`{consumer.name}`, `{requestId}` and `{clientAddress}`.',
    }),
  status: z
    .record(z.string(), z.int())
    .superRefine((map, context) => {
      for (const [from, to] of Object.entries(map)) {
        const wrong = statusProblem(Number(from))
        if (wrong !== null) context.addIssue({ code: 'custom', path: [from], message: `"${from}" ${wrong}` })
        const wrongTarget = statusProblem(to)
        if (wrongTarget !== null) context.addIssue({ code: 'custom', path: [from], message: `${to} ${wrongTarget}` })
      }
    })
    .default({})
    .meta({ description: 'Status of the response to the status that the client gets instead, like `404: 200`.' }),
})

export const transformResponse = definePolicy({
  name: 'transform-response',
  phase: 'transform',
  summary: 'Changes the headers and the status of a response before it is sent to the client.',
  schema,
  create(config) {
    // A response cannot be refused any more: what a hostile request brings in is left out.
    const editHeaders = compileHeaderEdits(config.headers, { hostile: 'drop' })
    const statuses = new Map(Object.entries(config.status).map(([from, to]) => [Number(from), to]))
    return {
      response(call, head) {
        head.status = statuses.get(head.status) ?? head.status
        editHeaders?.(call, head.headers)
      },
    }
  },
})
