import type { z } from 'zod'
import type { BalanceDocument } from './balance-document.ts'
import type { ResilienceConfig } from './resilience-schema.ts'

export type * from './balance-document.ts'

/** One policy in force on a route: its own schema's output, and the id of the place that declared it last. */
export type PolicyUse = {
  readonly name: string
  /** `settings`, the key of a section, the name of a service, or the id of a route; counters are shared per scope. */
  readonly scope: string
  readonly config: unknown
}

type PlainCondition =
  | string
  | { readonly in: readonly string[] }
  | { readonly prefix: string }
  | { readonly suffix: string }

/** What a header, parameter or cookie must be. Plain text is the exact value; `*` means present. */
export type ConditionDocument = PlainCondition | { readonly not: PlainCondition }

export type RouteDocument = {
  /** Stable and unique: `service/name`, or `service/path` when the route has no name. */
  readonly id: string
  readonly path: string
  /** Upper case; empty means every method. */
  readonly methods: readonly string[]
  /** Lower case, may begin with `*.`; empty means every host. */
  readonly hosts: readonly string[]
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, ConditionDocument>>
  /** By parameter name. */
  readonly query: Readonly<Record<string, ConditionDocument>>
  readonly stripPrefix: string | null
  /** Whether `%2F` and `%5C` may stand in the path. */
  readonly encodedSlashes: 'reject' | 'keep'
  readonly policies: readonly PolicyUse[]
}

export type UpstreamDocument = ResilienceConfig &
  BalanceDocument & {
    /** URLs are in normal form and end without a slash. */
    readonly targets: readonly { readonly url: string; readonly weight: number; readonly host?: string | undefined }[]
    /** Milliseconds; `total` is Infinity unless set. */
    readonly timeouts: {
      readonly connect: number
      readonly response: number
      readonly total: number
      readonly idle?: number | undefined
    }
    readonly protocol?: 'auto' | 'h1' | 'h2'
    readonly preserveHost: boolean
    /** Flat list of lower-case names and values. */
    readonly headers: readonly string[]
  }

export type HandlerUse = { readonly type: string; readonly config: unknown }

export type ServiceDocument = {
  readonly name: string
  readonly upstream: UpstreamDocument | null
  readonly handler: HandlerUse | null
  /** Path of the OpenAPI document as written in the config file. */
  readonly contract: string | null
  readonly routes: readonly RouteDocument[]
}

export type ConsumerDocument = {
  readonly name: string
  readonly groups: readonly string[]
  /** SHA-256 of each key, lower-case hex; a key written in plain text is hashed while decoding. */
  readonly keyHashes: readonly string[]
}

export type SettingsDocument = {
  readonly trustedProxies: readonly string[]
  /** Milliseconds. */
  readonly timeouts: {
    readonly requestHead: number
    readonly idle: number
    readonly drain: number
    readonly drainDelay: number
    readonly stall: number
  }
  /** Bytes, but `headers` and `connections` are counts. */
  readonly limits: {
    readonly head: number
    readonly headers: number
    readonly target: number
    readonly connections: number
  }
  /** `off`, `stdout`, or the path of a file. */
  readonly accessLog: string
  /** Servers, and bounds of how long answers hold in milliseconds. */
  readonly dns: { readonly servers: readonly string[]; readonly minTtl: number; readonly maxTtl: number }
  /** Rows of the call log that are kept. */
  readonly calls: { readonly keep: number }
}

/** A whole configuration: checked, defaults filled in, frozen. The gateway compiles its tables from this alone. */
export type Document = {
  readonly version: 1
  readonly settings: SettingsDocument
  readonly services: readonly ServiceDocument[]
  readonly consumers: readonly ConsumerDocument[]
}

/** A service that a section brings along. Its routes get the policies of the section. */
export type SectionService = {
  readonly name: string
  readonly handler: HandlerUse
  readonly routes: readonly { readonly path: string; readonly methods: readonly string[] }[]
}

/**
 * A top-level key of the file beside `services`, such as `ai`, known to the configuration only by its schema.
 * Its `policies` key is handled here as everywhere else: the schema neither knows it nor sees it.
 */
export interface ConfigSection {
  readonly key: string
  readonly schema: z.ZodType
  /** Gets the schema's output. */
  services(section: unknown): readonly SectionService[]
}

/** What a file may name: the units that exist in this program, with their schemas. */
export type ConfigCatalogue = {
  readonly policies: readonly { readonly name: string; readonly schema: z.ZodType }[]
  readonly sections: readonly ConfigSection[]
}
