import type { z } from 'zod'
import type { BalanceDocument } from './balance-document.ts'
import type { ProcessLimitsConfig } from './overload-schema.ts'
import type { ResilienceConfig } from './resilience-schema.ts'
import type { TlsDocument, UpstreamTlsDocument } from './tls.ts'

export type * from './balance-document.ts'

/** One policy in force on a route: its own schema's output, and the id of the place that declared it last. */
export type PolicyUse = {
  readonly name: string
  /** `settings`, the key of a section, the name of a service, or the id of a route; counters are shared per scope. */
  readonly scope: string
  readonly config: unknown
}

export type PlainCondition =
  | string
  | { readonly in: readonly string[] }
  | { readonly prefix: string }
  | { readonly suffix: string }
  | { readonly regex: string }

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
  /** By cookie name; absent for none. */
  readonly cookies?: Readonly<Record<string, ConditionDocument>>
  readonly stripPrefix: string | null
  /** Whether `%2F` and `%5C` may stand in the path. */
  readonly encodedSlashes: 'reject' | 'keep'
  readonly policies: readonly PolicyUse[]
  /** What else is done with calls on this route; absent for nothing. */
  readonly shaping?: ShapingDocument
}

type Conditions = Readonly<Record<string, ConditionDocument>>

export type SplitDocument = {
  readonly to: readonly {
    readonly upstream: string
    /** Of the calls that meet no condition. */
    readonly percent: number
    /** Calls that meet any of these go there. */
    readonly when?:
      | {
          readonly headers: Conditions
          readonly cookies: Conditions
          readonly query: Conditions
          readonly groups: readonly string[]
        }
      | undefined
  }[]
  /** `consumer`, `ip`, `header:<name>` or `cookie:<name>`. */
  readonly stickyBy: string | null
}

export type MirrorDocument = {
  readonly upstream: string
  readonly percent: number
  readonly compare: boolean
  readonly headers: readonly string[]
  /** Bytes. */
  readonly maxBody: number
  readonly concurrency: number
  /** Milliseconds. */
  readonly timeout: number
}

/** `path`, or `regex` with `to`, or neither; `host` beside either. */
export type RewriteDocument = {
  readonly path: string | null
  readonly regex: string | null
  readonly to: string | null
  readonly host: string | null
}

export type RedirectDocument = 'https' | { readonly to: string; readonly status: number; readonly keepQuery: boolean }

/** As a file has it; the text of `file` is not read yet. */
export type WrittenRespond = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
  readonly json?: unknown
  readonly file?: string | undefined
}

export type RespondDocument = {
  readonly status: number
  /** Flat list of lower-case names and values. */
  readonly headers: readonly string[]
  readonly body: string | null
}

export type ShapingDocument = {
  readonly rewrite?: RewriteDocument
  readonly split?: SplitDocument
  readonly mirror?: MirrorDocument
  readonly redirect?: RedirectDocument
  readonly respond?: RespondDocument
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
    /** How https targets are called; the usual way where it is absent. */
    readonly tls?: UpstreamTlsDocument | undefined
    readonly preserveHost: boolean
    /** Flat list of lower-case names and values. */
    readonly headers: readonly string[]
  }

export type HandlerUse = { readonly type: string; readonly config: unknown }

export type ServiceDocument = {
  readonly name: string
  readonly upstream: UpstreamDocument | null
  /** Further upstreams by name, for `split` and `mirror`; absent for none. */
  readonly upstreams?: Readonly<Record<string, UpstreamDocument>>
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
    readonly http2?: { readonly streams: number; readonly resets: number } | undefined
  } & ProcessLimitsConfig
  /** Bytes per second, averaged over `grace` milliseconds; 0 asks for nothing. */
  readonly minimumRate: { readonly request: number; readonly response: number; readonly grace: number }
  /** Null where there is none. */
  readonly tls: TlsDocument | null
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
