import type { Document } from '#config/document'
import type { ConfigError } from '#config/errors'
import { loadDocument } from '#config/load'
import { compile } from '#gateway/compile'
import type { Snapshot } from '#gateway/snapshot'
import { UpstreamRegistry } from '#gateway/upstream'
import { TimerWheel } from '#http/timer-wheel'
import { createCountersMemory, sharedCounters } from '#storage/shared-counters'
import { configCatalogue, units } from './catalogue.ts'

export type Configuration =
  | { ok: true; document: Document; snapshot: Snapshot; warnings: readonly ConfigError[] }
  | { ok: false; errors: readonly ConfigError[] }

const wheel = new TimerWheel()
const counters = sharedCounters(createCountersMemory({ slots: 64 }))

/**
 * Reads a config file and compiles it once on the calling thread, so that what cannot be served is known before any
 * worker hears of it. The snapshot answers `explain`; its pools never connect.
 */
export const readConfiguration = (file: string, env: NodeJS.ProcessEnv, revision: number): Configuration => {
  const loaded = loadDocument(file, configCatalogue, env)
  if (!loaded.ok) return loaded
  try {
    const snapshot = compile(loaded.document, { units, counters, upstreams: new UpstreamRegistry(wheel), revision })
    return { ok: true, document: loaded.document, snapshot, warnings: loaded.warnings }
  } catch (error) {
    // What only shows when units meet, such as one key given to two consumers, has no single place in the file.
    const message = error instanceof Error ? error.message : String(error)
    return { ok: false, errors: [{ file, path: '', line: 1, column: 1, message, suggestion: null }] }
  }
}
