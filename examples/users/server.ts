import { Problem, readLimit, serve } from '../http-service.ts'

type User = { id: string; name: string; email: string; city: string; joinedAt: string }

const users: readonly User[] = [
  { id: 'u-1', name: 'Alice Martin', email: 'alice@example.com', city: 'Lyon', joinedAt: '2025-03-14T09:00:00Z' },
  { id: 'u-2', name: 'Bob Okafor', email: 'bob@example.com', city: 'Lagos', joinedAt: '2025-07-01T12:30:00Z' },
  { id: 'u-3', name: 'Chiyo Tanaka', email: 'chiyo@example.com', city: 'Osaka', joinedAt: '2026-01-20T15:45:00Z' },
]

const byId = new Map(users.map(user => [user.id, user]))

serve({
  'GET /healthz': () => ({ status: 200, body: { status: 'ok' } }),

  'GET /users': ({ query }) => {
    const limit = readLimit(query)
    const city = query.get('city')
    const found = users.filter(user => city === null || user.city.toLowerCase() === city.toLowerCase())
    return { status: 200, body: { users: found.slice(0, limit), total: found.length } }
  },

  'GET /users/{userId}': ({ params }) => {
    const user = byId.get(params['userId'] as string)
    if (user === undefined) throw new Problem(404, `There is no user ${JSON.stringify(params['userId'])}`)
    return { status: 200, body: user }
  },
})
