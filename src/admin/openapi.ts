import { callSchema, schemas } from './openapi-schemas.ts'

// The description of the admin API, written by hand: it is what the API promises, and a test holds the API to it.

const reference = (name: string) => ({ $ref: `#/components/schemas/${name}` })

const jsonContent = (name: string) => ({ 'application/json': { schema: reference(name) } })

const requestIdHeader = { 'x-request-id': { $ref: '#/components/headers/RequestId' } }

const success = (description: string, content: object) => ({ description, headers: requestIdHeader, content })

const failures = (...statuses: (keyof typeof failureNames)[]) =>
  Object.fromEntries(statuses.map(status => [status, { $ref: `#/components/responses/${failureNames[status]}` }]))

const failureNames = {
  '400': 'BadRequest',
  '401': 'Unauthorized',
  '404': 'NotFound',
  '413': 'BodyTooLarge',
  '503': 'Unavailable',
} as const

const problemResponse = (description: string, headers: object = {}) => ({
  description,
  headers: { ...requestIdHeader, ...headers },
  content: { 'application/problem+json': { schema: reference('Problem') } },
})

const parameter = (name: string, description: string, schema: object, example: unknown) => ({
  name,
  in: 'query',
  description,
  schema,
  example,
})

const text = { type: 'string', maxLength: 1024 }

const limitParameter = (usual: number) =>
  parameter(
    'limit',
    'The most items of one page.',
    { type: 'integer', minimum: 1, maximum: 1000, default: usual },
    usual,
  )

const callParameters = [
  parameter('service', 'Name of the service.', text, 'orders'),
  parameter('route', 'Template of the route.', text, '/orders/{id}'),
  parameter('consumer', 'Name of the consumer.', text, 'alice'),
  parameter('method', 'Request method, as sent.', text, 'GET'),
  parameter(
    'status',
    'A status, a class of them, or `error` for 400 and above.',
    { type: 'string', pattern: '^([1-9][0-9]{2}|[1-9]xx|error)$' },
    '5xx',
  ),
  parameter(
    'from',
    'Calls that began at this time or later: ISO 8601, or milliseconds since 1970.',
    text,
    '2026-01-31T12:00:00Z',
  ),
  parameter('to', 'Calls that began before this time: ISO 8601, or milliseconds since 1970.', text, '2026-02-01'),
  parameter(
    'q',
    'Part of the path, request id, consumer, error code or model, whatever the case of its letters.',
    text,
    'orders/7',
  ),
  limitParameter(50),
  parameter(
    'cursor',
    'The `nextCursor` of the page before; the other parameters stay as they were.',
    text,
    'lp3k0q7c.1f.2s',
  ),
]

/** The OpenAPI document of the admin API, as `GET /api/openapi.json` gives it. */
export const adminDocument = {
  openapi: '3.1.1',
  info: {
    title: 'Portico admin API',
    version: '0.1.0',
    summary: 'State, call log and metrics of a running gateway.',
    description:
      'Served on the console port. Everything but the health operations needs the admin token, which `portico start` prints or keeps in the file `admin-token` of its data folder.',
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  },
  servers: [{ url: '/', description: 'The console port of this gateway.' }],
  security: [{ adminToken: [] }],
  tags: [
    { name: 'health', description: 'Whether the program runs and serves; for orchestrators.' },
    { name: 'state', description: 'What is being served, and how it goes.' },
    { name: 'calls', description: 'The call log.' },
  ],
  paths: {
    '/api/health/live': {
      get: {
        operationId: 'getLive',
        tags: ['health'],
        summary: 'Tell whether the program runs',
        security: [],
        responses: { '200': success('It runs.', jsonContent('Health')) },
      },
    },
    '/api/health/ready': {
      get: {
        operationId: 'getReady',
        tags: ['health'],
        summary: 'Tell whether a snapshot is served',
        security: [],
        responses: {
          '200': success('Calls are served.', jsonContent('Health')),
          '503': success('Not yet, or no longer.', jsonContent('Health')),
        },
      },
    },
    '/api/status': {
      get: {
        operationId: 'getStatus',
        tags: ['state'],
        summary: 'Show the state of the gateway',
        responses: {
          '200': success('Snapshot, workers, engines and the last reload error.', jsonContent('Status')),
          ...failures('401'),
        },
      },
    },
    '/api/upstreams': {
      get: {
        operationId: 'listUpstreams',
        tags: ['state'],
        summary: 'List upstreams with their targets, by name',
        parameters: [
          parameter('name', 'Name of one upstream.', text, 'orders'),
          limitParameter(100),
          parameter('cursor', 'The `nextCursor` of the page before.', text, 'orders'),
        ],
        responses: {
          '200': success('Upstreams as all workers see them now.', jsonContent('UpstreamPage')),
          ...failures('400', '401'),
        },
      },
    },
    '/api/explain': {
      post: {
        operationId: 'explain',
        tags: ['state'],
        summary: 'Tell which way a request would take',
        description: 'Matches the request against the snapshot that is served, and sends nothing anywhere.',
        requestBody: { required: true, content: jsonContent('ExplainRequest') },
        responses: {
          '200': success(
            'The route that matches, the candidates that do not, policies and targets.',
            jsonContent('Explanation'),
          ),
          ...failures('400', '401', '413'),
        },
      },
    },
    '/api/calls': {
      get: {
        operationId: 'listCalls',
        tags: ['calls'],
        summary: 'List calls, newest first',
        parameters: callParameters,
        responses: { '200': success('One page of calls.', jsonContent('CallPage')), ...failures('400', '401', '503') },
      },
    },
    '/api/calls/{requestId}': {
      get: {
        operationId: 'getCall',
        tags: ['calls'],
        summary: 'Show one call',
        parameters: [
          {
            name: 'requestId',
            in: 'path',
            required: true,
            description: 'The `x-request-id` of the response.',
            schema: { type: 'string', minLength: 1 },
            example: callSchema.properties.requestId.examples[0],
          },
        ],
        responses: { '200': success('The call.', jsonContent('Call')), ...failures('401', '404', '503') },
      },
    },
    '/api/openapi.json': {
      get: {
        operationId: 'getOpenapi',
        tags: ['state'],
        summary: 'Show this document',
        responses: {
          '200': success('An OpenAPI 3.1 document.', { 'application/json': { schema: { type: 'object' } } }),
          ...failures('401'),
        },
      },
    },
    '/metrics': {
      get: {
        operationId: 'getMetrics',
        tags: ['state'],
        summary: 'Show metrics for Prometheus',
        responses: {
          '200': success('The text format 0.0.4.', { 'text/plain': { schema: { type: 'string' } } }),
          ...failures('401'),
        },
      },
    },
  },
  components: {
    securitySchemes: {
      adminToken: { type: 'http', scheme: 'bearer', description: 'The admin token of this gateway.' },
    },
    headers: {
      RequestId: {
        description: 'The id of this request, a UUID of version 7.',
        schema: { type: 'string', format: 'uuid' },
      },
    },
    responses: {
      BadRequest: problemResponse('A parameter or the body is wrong; `detail` names it.'),
      Unauthorized: problemResponse('The admin token is missing or wrong.', {
        'www-authenticate': { description: 'Bearer.', schema: { type: 'string' } },
      }),
      NotFound: problemResponse('There is no such resource.'),
      BodyTooLarge: problemResponse('The body is larger than 64 kB.'),
      Unavailable: problemResponse('The call log cannot answer at the moment.', {
        'retry-after': { description: 'Seconds to wait.', schema: { type: 'integer' } },
      }),
    },
    schemas,
  },
} as const
