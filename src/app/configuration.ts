import type { Document } from '#config/document'
import type { ConfigError } from '#config/errors'
import { loadDocument } from '#config/load'
import { packDocument } from '#config/packed-document'
import { compile } from '#gateway/compile'
import type { HealthTable } from '#gateway/health/health-table'
import { watchPlan } from '#gateway/health/watch-plan'
import { LongCalls } from '#gateway/long-calls'
import type { Snapshot } from '#gateway/snapshot'
import { UpstreamRegistry } from '#gateway/upstream-registry'
import { TimerWheel } from '#http/timer-wheel'
import { createCountersMemory, sharedCounters } from '#storage/shared-counters'
import { configCatalogue, units } from './catalogue.ts'
import type { Loaded } from './loader-messages.ts'
import { tlsSummary } from './tls-summary.ts'

export type Configuration =
  | ({ ok: true; document: Document; files: readonly string[]; warnings: readonly ConfigError[] } & Reading)
  | { ok: false; errors: readonly ConfigError[] }

const wheel = new TimerWheel()
const longCalls = new LongCalls(wheel)
const counters = sharedCounters(createCountersMemory({ slots: 64 }))

/** A configuration that was compiled to look at it: `explain` reads the snapshot, the pools never connect. */
export type Reading = { readonly snapshot: Snapshot; readonly upstreams: UpstreamRegistry }

/** Compiles a document to look at it; what cannot be served throws. With a table, health is that of the workers. */
export const compileForReading = (document: Document, revision: number, table?: HealthTable): Reading => {
  const upstreams = new UpstreamRegistry(wheel, undefined, { ...(table && { table }) })
  return { upstreams, snapshot: compile(document, { units, counters, upstreams, longCalls, revision }) }
}

/**
 * Reads a config file and compiles it once on the calling thread, so that what cannot be served is known before any
 * worker hears of it.
 */
export const readConfiguration = (
  file: string,
  env: NodeJS.ProcessEnv,
  revision: number,
  table?: HealthTable,
): Configuration => {
  const loaded = loadDocument(file, configCatalogue, env)
  if (!loaded.ok) return loaded
  try {
    const reading = compileForReading(loaded.document, revision, table)
    return { ...loaded, ...reading }
  } catch (error) {
    // What only shows when units meet, such as one key given to two consumers, has no single place in the file.
    const message = error instanceof Error ? error.message : String(error)
    return { ok: false, errors: [{ file, path: '', line: 1, column: 1, message, suggestion: null }] }
  }
}

/** The same, in the form that threads hand to each other; the snapshot is for the calling thread. */
export const loadRevision = (
  file: string,
  env: NodeJS.ProcessEnv,
  revision: number,
  table: HealthTable,
): { loaded: Loaded; reading: Reading | null } => {
  const read = readConfiguration(file, env, revision, table)
  if (!read.ok) return { loaded: read, reading: null }
  const { document, snapshot, upstreams, files, warnings } = read
  const { settings, services } = document
  const summary = {
    revision,
    document: packDocument(document),
    routes: snapshot.routes.length,
    services: services.length,
    stallMs: settings.timeouts.stall,
    drain: { delayMs: settings.timeouts.drainDelay, deadlineMs: settings.timeouts.drain },
    keepCalls: settings.calls.keep,
    dns: settings.dns,
    files,
    tls: tlsSummary(settings.tls),
    acme: settings.tls?.acme ?? null,
    watch: watchPlan(upstreams.upstreams),
  }
  return { loaded: { ok: true, revision: summary, warnings }, reading: { snapshot, upstreams } }
}
