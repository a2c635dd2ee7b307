const string = (description: string, example: string) => ({ type: 'string', description, examples: [example] }) as const

const count = (description: string, example: number) =>
  ({ type: 'integer', minimum: 0, description, examples: [example] }) as const

const milliseconds = (description: string, example: number) =>
  ({ type: 'number', minimum: 0, description, examples: [example] }) as const

const optionalCount = (description: string, example: number) =>
  ({ type: ['integer', 'null'], minimum: 0, description, examples: [example] }) as const

const callProperties = {
  requestId: string('The `x-request-id` of the response.', '019ab3c4-7d10-7c52-9b1e-5d0f6a7c8e21'),
  traceId: string('Trace id of W3C Trace Context.', '4bf92f3577b34da6a3ce929d0e0e4736'),
  startedAt: {
    type: 'string',
    format: 'date-time',
    description: 'When the first byte of the request arrived.',
    examples: ['2026-01-31T12:00:00.123Z'],
  },
  service: string('Name of the service; empty when no route matched.', 'orders'),
  route: string('Template of the route; empty when none matched.', '/orders/{id}'),
  consumer: string('Name of the consumer; empty when unknown.', 'alice'),
  method: string('Request method.', 'GET'),
  path: string('Normalised path, without the query.', '/orders/7'),
  status: count('Status of the response; 499 when the client left before.', 200),
  durationMs: milliseconds('From the first byte of the request to the last of the response.', 12.345),
  upstreamMs: milliseconds('The part of it that was spent waiting for the upstream.', 11.2),
  gatewayMs: milliseconds('The rest.', 1.145),
  bytesIn: count('Bytes of the request, head and body.', 321),
  bytesOut: count('Bytes of the response, head and body.', 4567),
  clientAddress: string('Address of the client, behind trusted proxies.', '203.0.113.9'),
  target: string('The target that was called; empty when none was.', 'http://127.0.0.1:9000'),
  errorCode: string('Code of the error when the gateway made one, else empty.', 'upstream-timeout'),
  errorSource: string('Who failed: `client`, `upstream` or `gateway`; empty when nobody did.', 'upstream'),
  retries: count('Tries after the first.', 0),
  model: string('AI: the model that answered.', 'claude-opus-5.5'),
  provider: string('AI: the provider that was called.', 'claude'),
  tokensIn: optionalCount('AI: tokens of the prompt.', 1200),
  tokensOut: optionalCount('AI: tokens of the answer.', 350),
  tokensCached: optionalCount('AI: tokens of the prompt that came from a cache.', 1024),
  costNanoUsd: optionalCount('AI: price in billionths of a US dollar.', 8_750_000),
  firstTokenMs: {
    type: ['number', 'null'],
    minimum: 0,
    description: 'AI: time to the first token.',
    examples: [180.5],
  },
  grpcStatus: optionalCount('gRPC: the status code of the call.', 14),
} as const

const object = <Properties extends object>(description: string, properties: Properties) => ({
  type: 'object',
  description,
  required: Object.keys(properties),
  properties,
})

export const callSchema = object('One logged call.', callProperties)

const upstreamSchema = object('Where calls of a service go.', {
  name: string('Name of the service, or of the AI provider.', 'orders'),
  balance: string('How a target is chosen.', 'round-robin'),
  panic: { type: 'boolean', description: 'Whether all targets are used because too few are healthy.' },
  targets: {
    type: 'array',
    description: 'One for each address that is known of a host name.',
    items: { $ref: '#/components/schemas/Target' },
  },
})

const targetSchema = object('One address of an upstream.', {
  url: string('As configured.', 'http://orders.internal:9000'),
  address: {
    type: ['string', 'null'],
    description: 'The address that the host name resolved to; null where the system resolves it.',
    examples: ['10.0.0.7'],
  },
  weight: count('Share of the traffic in relation to the other targets.', 1),
  share: { type: 'number', minimum: 0, description: 'What counts of the weight now.', examples: [1] },
  priority: count('Priority of its SRV record; the lowest usable one is called.', 0),
  health: {
    type: 'string',
    enum: ['healthy', 'unhealthy', 'ejected', 'trial'],
    description: 'Unhealthy by active checks, ejected by its calls, or on trial: one call decides.',
  },
  ejectedUntil: { type: ['string', 'null'], format: 'date-time', description: 'When it may come back.' },
  ejections: count('How often it was ejected.', 0),
  checks: count('Active checks so far.', 120),
  active: count('Calls under way.', 3),
  latencyMs: {
    type: ['number', 'null'],
    minimum: 0,
    description: 'Time that an answer is expected to take; only for peak-ewma.',
    examples: [12.5],
  },
})

/** The named schemas of the admin API. */
export const schemas = {
  Call: callSchema,
  CallPage: object('One page of a list.', {
    items: { type: 'array', description: 'Newest first.', items: { $ref: '#/components/schemas/Call' } },
    nextCursor: { type: ['string', 'null'], description: 'For the next page; null on the last one.' },
  }),
  UpstreamPage: object('One page of a list.', {
    items: { type: 'array', description: 'In order of their names.', items: { $ref: '#/components/schemas/Upstream' } },
    nextCursor: { type: ['string', 'null'], description: 'For the next page; null on the last one.' },
  }),
  Upstream: upstreamSchema,
  Target: targetSchema,
  Health: object('Whether the program runs or serves.', {
    status: { type: 'string', enum: ['live', 'ready', 'starting', 'draining'], description: 'The state.' },
  }),
  Status: {
    type: 'object',
    description: 'Revision of the snapshot, workers, engines, last reload error; members may be added.',
    additionalProperties: true,
  },
  ExplainRequest: {
    type: 'object',
    description: 'A request to explain.',
    required: ['method', 'url'],
    additionalProperties: false,
    properties: {
      method: { type: 'string', description: 'Request method.', examples: ['GET'] },
      url: {
        type: 'string',
        maxLength: 16_384,
        description: 'A path, or a URL whose host is matched too.',
        examples: ['http://api.example.com/orders/7'],
      },
      headers: {
        type: 'array',
        description: 'Header fields as pairs of name and value.',
        default: [],
        items: { type: 'array', prefixItems: [{ type: 'string' }, { type: 'string' }], minItems: 2, maxItems: 2 },
        examples: [[['x-version', '2']]],
      },
    },
  },
  Explanation: {
    type: 'object',
    description: 'The way of the request; members may be added.',
    additionalProperties: true,
  },
  Problem: object('Problem details (RFC 9457).', {
    type: { type: 'string', format: 'uri', description: 'Names the kind of problem.' },
    title: { type: 'string', description: 'The kind of problem in words.' },
    status: { type: 'integer', description: 'The status of the response.' },
    detail: { type: 'string', description: 'What was wrong with this request.' },
    instance: { type: 'string', description: 'The path that was asked for.' },
    code: { type: 'string', description: 'Stable code of the problem.' },
    requestId: { type: 'string', description: 'The id of this request.' },
  }),
}
