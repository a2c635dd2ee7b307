import { type AiConfig, aiSchema } from './schema.ts'

/** The `ai` section as the configuration sees it: a schema, and the one service that it becomes. */
export const aiSection = {
  key: 'ai',
  schema: aiSchema,
  services(section: unknown) {
    const config = section as AiConfig
    const at = `${config.path}/v1`
    return [
      {
        name: 'ai',
        handler: { type: 'ai', config },
        // A route matches everything below it too, so that the name of a model may hold slashes.
        routes: [
          { path: `${at}/chat/completions`, methods: ['POST'] },
          { path: `${at}/embeddings`, methods: ['POST'] },
          { path: `${at}/models`, methods: ['GET'] },
          { path: `${at}/models/{model}`, methods: ['GET'] },
        ],
      },
    ]
  },
}
