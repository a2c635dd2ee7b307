import { z } from 'zod'
import { definePolicy } from '#gateway/contract'
import { compileHeaderEdits, headerEditSchema } from '#policies/field-edits'
import { compilePathEdits, pathEditSchema } from './path-edits.ts'
import { compileQueryEdits, queryEditSchema } from './query-edits.ts'

/** Fields that every service gets from the gateway, whatever a client or a policy says. */
const managed = [
  ...['x-request-id', 'x-consumer', 'traceparent', 'via'],
  ...['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'],
]

const schema = z.strictObject({
  headers: headerEditSchema(managed)
    .prefault({})
    .meta({
      description:
        'Changes of the request headers. Values may hold `{params.<name>}`, `{headers.<name>}`, `{consumer.name}`, ' +
        '`{requestId}` and `{clientAddress}`; one whose placeholder is empty is not sent. `{{` is a brace.',
    }),
  query: queryEditSchema()
    .prefault({})
    .meta({ description: 'Changes of the query parameters; values as for headers, percent-encoded.' }),
  path: pathEditSchema().prefault({}).meta({ description: 'Changes of the path that is sent to the service.' }),
})

export const transformRequest = definePolicy({
  name: 'transform-request',
  phase: 'transform',
  summary: 'Changes the headers, query parameters and path of a request before it is sent to the service.',
  schema,
  create(config) {
    const editHeaders = compileHeaderEdits(config.headers)
    const editQuery = compileQueryEdits(config.query)
    const editPath = compilePathEdits(config.path)
    return {
      request(call, next) {
        // Path and query first: they may take values from headers as the client sent them.
        const path = editPath?.(call)
        const query = editQuery?.(call)
        editHeaders?.(call, call.headers)
        if (path !== undefined) call.forwardPath = path
        if (query !== undefined) call.query = query
        return next(call)
      },
    }
  },
})
