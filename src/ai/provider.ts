import type { Call } from '#gateway/call'
import type { RequestBody } from './dialects/openai-chat/request.ts'

/** The calls a provider answers, named by the end of their path. */
export type Endpoint = 'chat/completions' | 'embeddings'

export type ModelCall = {
  readonly endpoint: Endpoint
  /** What the provider calls the model. */
  readonly model: string
  readonly request: RequestBody
}

/** One configured provider, built when configuration loads. */
export interface Provider {
  readonly name: string
  /** Models shown in the list. */
  readonly models: readonly string[]
  /** Whether a call of this model is worth trying. */
  has(model: string): boolean
  answer(call: Call, modelCall: ModelCall): void | Promise<void>
}
