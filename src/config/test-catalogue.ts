import { z } from 'zod'
import { duration } from '#base/schema'
import type { ConfigCatalogue } from './document.ts'

const keyAuth = z.strictObject({
  header: z
    .string()
    .transform(name => name.toLowerCase())
    .prefault('x-api-key')
    .meta({ description: 'Header that holds the key' }),
  optional: z.boolean().default(false).meta({ description: 'Let calls without a key pass' }),
})

const rateLimit = z
  .strictObject({
    limit: z.int().min(1).meta({ description: 'Calls per window' }),
    window: duration({ min: '1s', max: '30d', doc: 'Length of the window' }),
    by: z
      .union([z.enum(['consumer', 'ip', 'route']), z.templateLiteral(['header:', z.string()])])
      .default('consumer')
      .meta({ description: 'What is counted' }),
    algorithm: z
      .enum(['gcra', 'sliding-window', 'fixed-window'])
      .default('gcra')
      .meta({ description: 'How it is counted' }),
    burst: z.int().min(1).optional().meta({ description: 'Calls at once' }),
  })
  .superRefine(({ algorithm, burst }, context) => {
    if (burst !== undefined && algorithm !== 'gcra') context.addIssue('burst goes with gcra only')
  })

const provider = z.strictObject({
  name: z.string(),
  type: z.enum(['openai', 'demo']),
  apiKey: z.string().min(8).optional(),
})

const ai = z
  .strictObject({
    path: z.string().default('/ai').meta({ description: 'Where the section begins' }),
    providers: z.array(provider).default([]).meta({ description: 'Where models are' }),
  })
  .meta({ description: 'A section of the file' })

/** Stands in for the units of the program: the configuration knows units by their schemas only. */
export const testCatalogue: ConfigCatalogue = {
  policies: [
    { name: 'key-auth', schema: keyAuth },
    { name: 'rate-limit', schema: rateLimit },
  ],
  sections: [
    {
      key: 'ai',
      schema: ai,
      services: (section: z.output<typeof ai>) => [
        {
          name: 'ai',
          handler: { type: 'ai', config: section },
          routes: [
            { path: `${section.path}/v1/chat/completions`, methods: ['POST'] },
            { path: `${section.path}/v1/models`, methods: ['GET'] },
          ],
        },
      ],
    },
  ],
}
