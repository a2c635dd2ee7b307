import type { Provider } from './provider.ts'
import type { AiConfig } from './schema.ts'

export type ModelTarget = { readonly provider: Provider; readonly model: string }

export type ListedModel = { readonly id: string; readonly owner: string }

export type Models = {
  /** Where a model called by its alias or as `provider/model` is; null when there is none. */
  resolve(name: string): ModelTarget | null
  readonly listed: ReadonlyMap<string, ListedModel>
}

/** The names under which models can be called. An alias goes before a provider's model of the same name. */
export const modelNames = (models: AiConfig['models'], providers: readonly Provider[]): Models => {
  const byName = new Map(providers.map(provider => [provider.name, provider]))
  const aliases = new Map<string, ModelTarget>()
  const listed = new Map<string, ListedModel>()
  for (const { name, targets } of models) {
    const target = targets[0]
    const provider = target && byName.get(target.provider)
    if (!provider) continue
    aliases.set(name, { provider, model: target.model })
    listed.set(name, { id: name, owner: 'portico' })
  }
  for (const provider of providers)
    for (const model of provider.models) {
      const id = `${provider.name}/${model}`
      if (!listed.has(id)) listed.set(id, { id, owner: provider.name })
    }

  const resolve = (name: string): ModelTarget | null => {
    const alias = aliases.get(name)
    const slash = name.indexOf('/')
    const provider = alias?.provider ?? byName.get(name.slice(0, Math.max(slash, 0)))
    const model = alias?.model ?? name.slice(slash + 1)
    return provider?.has(model) ? { provider, model } : null
  }
  return { resolve, listed }
}
