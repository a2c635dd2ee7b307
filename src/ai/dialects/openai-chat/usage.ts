import type { AiUsage } from '#gateway/call'

const count = (value: unknown): number | null =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined

/**
 * Takes over what a `usage` object says. `prompt_tokens` includes the cached ones, and `completion_tokens` those of
 * reasoning; embeddings have no completion. What is missing or no count stays unknown.
 */
export const noteUsage = (ai: AiUsage, usage: unknown): void => {
  ai.tokensIn = count(field(usage, 'prompt_tokens')) ?? ai.tokensIn
  ai.tokensOut = count(field(usage, 'completion_tokens')) ?? ai.tokensOut
  ai.tokensCached = count(field(field(usage, 'prompt_tokens_details'), 'cached_tokens')) ?? ai.tokensCached
}
