import type { ConfigError } from '#config/errors'
import { loadDocument } from '#config/load'
import type { Document } from '#config/document'
import { compile } from '#gateway/compile'
import type { Snapshot } from '#gateway/snapshot'
import { UpstreamRegistry } from '#gateway/upstream'
import { TimerWheel } from '#http/timer-wheel'
import { createCountersMemory, sharedCounters } from '#storage/shared-counters'
import { configCatalogue, units } from './catalogue.ts'

export type LoadedConfiguration = { ok: true; document: Document; snapshot: Snapshot } | { ok: false; errors: readonly ConfigError[] }

const wheel = new TimerWheel()
const counters = sharedCounters(createCountersMemory({ slots: 64 }))

/**
 * Reads a config file and compiles it once on the main thread, so that what cannot be served is known before any
 * worker hears of it. The snapshot answers `explain`; its pools never connect.
 */
export const readConfiguration = async (file: string, env: NodeJS.ProcessEnv, revision: number): Promise<LoadedConfiguration> => {
  const loaded = await loadDocument(file, configCatalogue, env)
  if (!loaded.ok) return loaded
  const snapshot = compile(loaded.document, { units, counters, upstreams: new UpstreamRegistry(wheel), revision })
  return { ok: true, document: loaded.document, snapshot }
}
