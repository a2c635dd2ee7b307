import { writeFileSync } from 'node:fs'
import { z } from 'zod'
import { type ErrorCode, errorCodes } from '#base/errors'
import { duration, size } from '#base/schema'
import { type PolicyUnit, phases } from '#gateway/contract'
import { policies } from '#policies/index'
import { errorExplanations } from './error-explanations.ts'
import { policyExamples } from './policy-examples.ts'

type JsonSchema = {
  type?: string
  enum?: unknown[]
  anyOf?: JsonSchema[]
  items?: JsonSchema
  properties?: Record<string, JsonSchema>
  additionalProperties?: JsonSchema | boolean
  required?: string[]
  pattern?: string
  default?: unknown
  description?: string
}

const notice = '<!-- Written by scripts/write-docs.ts; change the sources instead. -->'

const jsonSchema = (schema: z.ZodType): JsonSchema => z.toJSONSchema(schema, { io: 'input' }) as JsonSchema

const durationPattern = jsonSchema(duration()).pattern
const sizePattern = jsonSchema(size()).pattern

/** What a person writes as the value of a key: `duration`, `list of strings`, `integer`. */
const typeName = (schema: JsonSchema): string => {
  if (schema.enum) return schema.enum.map(value => `\`${value}\``).join(', ')
  if (schema.anyOf) return schema.anyOf.map(typeName).join(' or ')
  if (schema.pattern === durationPattern) return 'duration'
  if (schema.pattern === sizePattern) return 'size'
  if (schema.type === 'array') return `list of ${typeName(schema.items ?? {})}s`
  if (typeof schema.additionalProperties === 'object') return `map to ${typeName(schema.additionalProperties)}s`
  return schema.type ?? 'any'
}

const isEmpty = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0

const defaultText = (schema: JsonSchema, required: boolean): string => {
  if (required) return '**required**'
  const { default: value } = schema
  if (value === undefined || value === null || isEmpty(value)) return '–'
  return Array.isArray(value) ? value.map(item => `\`${item}\``).join(', ') : `\`${value}\``
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

/** One row per key; the keys of an object follow it with their full names. */
const rows = (schema: JsonSchema, prefix = ''): string[] =>
  Object.entries(schema.properties ?? {}).flatMap(([key, child]) => {
    const name = prefix + key
    const columns = [
      `\`${name}\``,
      typeName(child),
      defaultText(child, schema.required?.includes(key) ?? false),
      child.description ?? '',
    ]
    return [`| ${columns.map(cell).join(' | ')} |`, ...rows(child, `${name}.`)]
  })

const policySection = (unit: PolicyUnit): string =>
  [
    `## ${unit.name}`,
    `${unit.summary} Phase: ${unit.phase}.`,
    `\`\`\`yaml\n${(policyExamples[unit.name] ?? '').trim()}\n\`\`\``,
    ['| key | value | default | meaning |', '|---|---|---|---|', ...rows(jsonSchema(unit.schema))].join('\n'),
  ].join('\n\n')

const page = (...blocks: string[]): string => `${blocks.join('\n\n')}\n`

/** The text of docs/policies.md. */
export const policiesPage = (): string =>
  page(
    notice,
    '# Policies',
    'A policy stands under `policies` of the settings (for all services), of a service or of a route. The more specific ' +
      'place wins, key by key: a route may change the `limit` of a `rate-limit` and keep the `window` of its service. ' +
      '`{}` takes a policy with its defaults, `false` switches an inherited one off.',
    `The order in the file does not matter. Policies act by phase (${phases.join(', ')}), and inside one phase in the ` +
      'order of this page. Durations are written `250ms`, `5s`, `1m`, `24h` or `30d`, sizes `512b`, `64kb`, `10mb` or `1gb`.',
    ...policies.map(policySection),
  )

const errorSection = (code: ErrorCode): string => {
  const { status, source, title } = errorCodes[code]
  const { means, remedy } = errorExplanations[code]
  return [`## ${code}`, `**${status}** · ${title} · fault of the ${source}`, means, remedy].join('\n\n')
}

/** The text of docs/errors.md. */
export const errorsPage = (): string =>
  page(
    notice,
    '# Errors',
    'What the gateway itself answers is `application/problem+json` (RFC 9457): `code` is one of the words below and ' +
      'never changes its meaning, `detail` is one sentence about this call, and `requestId` finds it in the call log ' +
      '(`portico calls --id …`). AI routes use the error shape of the dialect that the caller speaks.',
    'The fault of the *client* is mended by the caller, of the *upstream* by who runs the service, of the *gateway* by ' +
      'who runs the gateway.',
    ...(Object.keys(errorCodes) as ErrorCode[]).map(errorSection),
  )

/** Every generated page by its path in the repository. */
export const pages: Readonly<Record<string, () => string>> = {
  'docs/policies.md': policiesPage,
  'docs/errors.md': errorsPage,
}

if (import.meta.main)
  for (const [path, text] of Object.entries(pages)) writeFileSync(new URL(`../${path}`, import.meta.url), text())
