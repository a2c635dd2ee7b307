import { aiHandler } from '#ai/handler'
import { aiSection } from '#ai/section'
import type { ConfigCatalogue } from '#config/document'
import type { Units } from '#gateway/compile'
import { grpc } from '#grpc/protocol'
import { policies } from '#policies/index'

/** Every unit of this program, for the parts that must not know any of them by name. */
export const units: Units = { policies, handlers: [aiHandler], protocols: [grpc] }

/** The same units as the configuration sees them: names and schemas. */
export const configCatalogue: ConfigCatalogue = { policies, sections: [aiSection] }
