/** One example of each policy for docs/policies.md: what stands under `policies:`. A test decodes them all. */
export const policyExamples: Readonly<Record<string, string>> = {
  'ip-allow': `
ip-allow:
  allow: [10.0.0.0/8, "2001:db8::/32"]
  deny: [10.66.0.0/16]`,
  cors: `
cors:
  origins: ["https://shop.example.com", "https://*.preview.example.com"]
  credentials: true
  exposeHeaders: [ratelimit, retry-after]`,
  'key-auth': `
key-auth: {}                # x-api-key, Authorization: Bearer, x-goog-api-key`,
  'mtls-auth': `
mtls-auth:
  by: uri
  consumers: { "spiffe://example.com/billing": billing }
  forward: certificate`,
  'body-limit': `
body-limit: { max: 256kb }`,
  'rate-limit': `
rate-limit: { limit: 100, window: 1m, by: consumer }`,
  websocket: `
websocket:
  maxMessage: 1mb
  rate: { limit: 50, window: 1s }
  idle: 10m
  ping: 30s`,
  sse: `
sse: { heartbeat: 15s }`,
  'transform-request': `
transform-request:
  headers:
    remove: [cookie]
    set: { x-user: "{consumer.name}" }
  query:
    rename: { q: search }
  path:
    template: /v2/orders/{id}`,
  'transform-response': `
transform-response:
  headers:
    remove: [server, x-powered-by]
    set: { x-order: "{params.id}" }
  status: { 418: 400 }`,
}
