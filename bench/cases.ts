import { type Features, keyHeader, routePath, type Subject } from './subjects/subject.ts'

/** What is asked of a subject, and how. */
export type Task = {
  features: Features
  paths: readonly string[]
  headers: Record<string, string>
  connections: number
  /** Sent with every request. */
  body?: Buffer
}

export type Case = {
  name: string
  what: string
  task: Task
  /** `rate` measures latency at half of the rate that saturates the slowest of the subjects. */
  kind: 'saturation' | 'rate'
  /** Where one subject is compared with itself: its tasks by their names, the first is what the others are held to. */
  variants?: readonly { name: string; task: Task }[]
}

/** One line of a table: a subject at a task. */
export type Lane = { name: string; subject: Subject; task: Task }

const plainTask: Task = {
  features: { key: false, limitAndLog: false, routes: 1 },
  paths: ['/'],
  headers: {},
  connections: 64,
}
const keyTask: Task = {
  ...plainTask,
  features: { ...plainTask.features, key: true },
  headers: { [keyHeader.name]: keyHeader.value },
}
const fullTask: Task = { ...keyTask, features: { ...keyTask.features, limitAndLog: true } }

/** 7919 is prime, so every route is called once before one is called again, and neighbours never follow each other. */
const scattered = (routes: number): string[] =>
  Array.from({ length: routes }, (_, index) => routePath((index * 7919) % routes))

const routesTask = (routes: number): Task => ({
  ...keyTask,
  features: { ...keyTask.features, routes },
  paths: routes === 1 ? ['/'] : scattered(routes),
})

const routeCounts = [1, 36, 217, 609, 10_000, 50_000]
const routesName = (routes: number): string => `${routes.toLocaleString('en')} route${routes === 1 ? '' : 's'}`

const saturation = (name: string, what: string, task: Task): Case => ({ name, what, task, kind: 'saturation' })

/** Every case by its name on the command line. */
export const cases: readonly Case[] = [
  saturation('plain', 'plain proxy, no log, 128-byte answers', plainTask),
  saturation('key-auth', 'key check', keyTask),
  saturation('full', 'key check, rate limit per key, log of every call', fullTask),
  ...routeCounts.map(routes =>
    saturation(`routes-${routes}`, `${routesName(routes)}, all of them called in turn, key check`, routesTask(routes)),
  ),
  {
    ...saturation('routes', 'Portico alone: growth with the size of the table, key check', routesTask(1)),
    variants: routeCounts.map(routes => ({ name: routesName(routes), task: routesTask(routes) })),
  },
  {
    ...saturation('workers', 'Portico alone: the same core for one worker or several, with all of it', fullTask),
    variants: [1, 2, 4].map(workers => ({
      name: workers === 1 ? '1 worker' : `${workers} workers`,
      task: { ...fullTask, features: { ...fullTask.features, workers } },
    })),
  },
  saturation('body-1k', '1 kB answers', { ...plainTask, paths: ['/files/1k'] }),
  saturation('body-100k', '100 kB answers', { ...plainTask, paths: ['/files/100k'], connections: 16 }),
  saturation('body-10m', '10 MB answers', { ...plainTask, paths: ['/files/10m'], connections: 4 }),
  saturation('new-connections', 'a new connection for each request', {
    ...plainTask,
    headers: { connection: 'close' },
  }),
  saturation('tls', 'plain proxy, TLS 1.3 to the client', {
    ...plainTask,
    features: { ...plainTask.features, tls: true },
  }),
  saturation('tls-new-connections', 'TLS 1.3, a new connection with a whole handshake for each request', {
    ...plainTask,
    features: { ...plainTask.features, tls: true },
    headers: { connection: 'close' },
  }),
  saturation('h2', 'plain proxy, clients of HTTP/2 without TLS: 8 connections of 16 streams', {
    ...plainTask,
    features: { ...plainTask.features, http2: true },
    connections: 8,
  }),
  saturation('grpc', 'unary calls of gRPC, HTTP/2 without TLS on both sides: 8 connections of 16 streams', {
    ...plainTask,
    features: { ...plainTask.features, http2: true, grpc: true },
    paths: ['/bench.Echo/Call'],
    headers: { 'content-type': 'application/grpc', te: 'trailers' },
    connections: 8,
    body: Buffer.concat([Buffer.from([0, 0, 0, 0, 64]), Buffer.alloc(64, 'x')]),
  }),
  {
    ...saturation('latency', 'key check, rate limit and log at half of the rate that saturates', fullTask),
    kind: 'rate',
  },
]
