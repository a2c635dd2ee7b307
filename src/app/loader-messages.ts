import type { ConfigError } from '#config/errors'
import type { PackedDocument } from '#config/packed-document'
import type { AcmeDocument } from '#config/tls'
import type { DnsSettings } from '#gateway/discovery/resolve-name'
import type { ResolvedAddress } from '#gateway/endpoint'
import type { Explanation } from '#gateway/explain'
import type { WatchPlan } from '#gateway/health/watch-plan'
import type { HeaderList } from '#http/headers'
import type { TlsSummary } from './tls-summary.ts'

/** A configuration that is in force or may be, as the main thread keeps it. */
export type Revision = {
  readonly revision: number
  readonly document: PackedDocument
  readonly routes: number
  readonly services: number
  /** How long a worker may stand still; 0 for ever. */
  readonly stallMs: number
  /** How the gateway stops, as `Gateway.drain` takes it. */
  readonly drain: { readonly delayMs: number; readonly deadlineMs: number }
  /** Rows of the call log that are kept. */
  readonly keepCalls: number
  readonly dns: DnsSettings
  /** Absolute paths of certificates and keys; a change of one is a change of the configuration. */
  readonly files: readonly string[]
  /** What `settings.tls` has, without anything secret; null where it is absent. */
  readonly tls: TlsSummary | null
  readonly acme: AcmeDocument | null
  /** What has to be found out about its targets. */
  readonly watch: WatchPlan
}

export type Loaded =
  | { readonly ok: true; readonly revision: Revision; readonly warnings: readonly ConfigError[] }
  | { readonly ok: false; readonly errors: readonly ConfigError[] }

/** What host names and names of SRV records stand for (see `discoveryKey`). */
export type Addresses = ReadonlyMap<string, readonly ResolvedAddress[]>

export type ExplainRequest = { method: string; url: string; headers: HeaderList }

/** What the loader thread is asked. */
export type ToLoader =
  | { id: number; kind: 'load'; file: string; env: NodeJS.ProcessEnv; revision: number }
  | {
      id: number
      kind: 'explain'
      revision: number
      document: PackedDocument
      addresses: Addresses
      request: ExplainRequest
    }

export type FromLoader =
  | { id: number; ok: true; answer: Loaded | Explanation }
  | { id: number; ok: false; message: string }
