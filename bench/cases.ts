import { type Features, keyHeader, routePath } from './subjects/subject.ts'

export type Case = {
  name: string
  what: string
  features: Features
  path: string
  headers: Record<string, string>
  connections: number
  /** `rate` measures latency at half of the rate that saturates nginx. */
  kind: 'saturation' | 'rate'
}

const plainFeatures: Features = { key: false, limitAndLog: false, routes: 1 }
const keyed = { [keyHeader.name]: keyHeader.value }

const plain = (name: string, what: string, change: Partial<Case> = {}): Case => ({
  ...{ name, what, features: plainFeatures, path: '/', headers: {}, connections: 64, kind: 'saturation' },
  ...change,
})

const withRoutes = (routes: number): Case =>
  plain(`routes-${routes}`, `${routes.toLocaleString('en')} route${routes === 1 ? '' : 's'}, key auth`, {
    features: { key: true, limitAndLog: false, routes },
    headers: keyed,
    path: routes === 1 ? '/' : routePath(Math.floor(routes / 2)),
  })

/** Every case by its name on the command line. */
export const cases: readonly Case[] = [
  plain('plain', 'plain proxy, no log, 128-byte answer'),
  plain('key-auth', 'key check', { features: { ...plainFeatures, key: true }, headers: keyed }),
  plain('full', 'key check, rate limit per key, log of every call', {
    features: { key: true, limitAndLog: true, routes: 1 },
    headers: keyed,
  }),
  ...[1, 36, 217, 609, 10_000, 50_000].map(withRoutes),
  plain('body-1k', '1 kB answers', { path: '/files/1k' }),
  plain('body-100k', '100 kB answers', { path: '/files/100k', connections: 16 }),
  plain('body-10m', '10 MB answers', { path: '/files/10m', connections: 4 }),
  plain('new-connections', 'a new connection for each request', { headers: { connection: 'close' } }),
  plain('latency', 'latency at half of nginx’s saturation, all features', {
    features: { key: true, limitAndLog: true, routes: 1 },
    headers: keyed,
    kind: 'rate',
  }),
]
