import { z } from 'zod'
import { size } from '#base/schema'
import { definePolicy } from '#gateway/contract'

const schema = z.strictObject({
  max: size({ doc: 'Largest request body; larger ones are refused with 413.' }).prefault('10mb'),
})

export const bodyLimit = definePolicy({
  name: 'body-limit',
  phase: 'limit',
  summary: 'Refuses request bodies above a size, at once when the length is announced and while they stream otherwise.',
  schema,
  create: ({ max }) => ({
    request(call, next) {
      call.limitBody(max)
      return next(call)
    },
  }),
})
