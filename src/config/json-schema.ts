import { z } from 'zod'
import type { ConfigCatalogue } from './document.ts'
import { consumerSchema, rootShape, settingsSchema, wholeServiceSchema } from './schema.ts'

type JsonSchema = { [key: string]: unknown }

const toJson = (schema: z.ZodType): JsonSchema => {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema
  return json
}

/** A place may say a part of a policy and leave the rest to the places above, or switch the policy off. */
const policyJson = (schema: z.ZodType): JsonSchema => {
  const { required: _, description, ...json } = toJson(schema)
  return {
    ...(description !== undefined && { description }),
    anyOf: [json, { type: 'null', description: 'On, with defaults' }, { const: false, description: 'Off' }],
  }
}

/** Points every `policies` of our own schemas to the one definition of them. */
const linkPolicies = (json: unknown): void => {
  if (typeof json !== 'object' || json === null) return
  const { properties } = json as { properties?: Record<string, JsonSchema> }
  if (properties && Object.hasOwn(properties, 'policies')) {
    properties['policies'] = { ...properties['policies'], $ref: '#/$defs/policies' }
  }
  for (const part of Object.values(json)) linkPolicies(part)
}

const withPolicies = (schema: z.ZodType): JsonSchema => {
  const json = toJson(schema)
  const policies = { description: 'Policies of all routes of this section', $ref: '#/$defs/policies' }
  return { ...json, properties: { ...(json['properties'] as object), policies } }
}

/**
 * The JSON Schema (2020-12) of portico.yaml with every policy and section of the catalogue, for editors and checks.
 * It knows shapes, not relations: that names are unique and routes distinct, only loading a file can tell.
 */
export const configJsonSchema = ({ policies, sections }: ConfigCatalogue): JsonSchema => {
  const document = toJson(
    z.strictObject({
      ...rootShape,
      settings: settingsSchema.optional().meta({ description: 'What holds for the whole gateway' }),
      services: z.array(wholeServiceSchema).default([]).meta({ description: 'What the gateway stands in front of' }),
      consumers: z.array(consumerSchema).default([]).meta({ description: 'Who may call' }),
    }),
  )
  linkPolicies(document)
  const properties = document['properties'] as Record<string, JsonSchema>
  for (const { key, schema } of sections) properties[key] = withPolicies(schema)
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'portico.yaml',
    ...document,
    $defs: {
      ...(document['$defs'] as object | undefined),
      policies: {
        type: 'object',
        properties: Object.fromEntries(policies.map(({ name, schema }) => [name, policyJson(schema)])),
        additionalProperties: false,
      },
    },
  }
}
