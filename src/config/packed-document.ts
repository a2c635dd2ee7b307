import { deserialize, serialize } from 'node:v8'
import type { Steps } from '#base/steps'
import type { ConsumerDocument, Document, PolicyUse, RouteDocument, ServiceDocument } from './document.ts'

/**
 * A document as bytes that all threads share, cut into slices that can be read one by one: a thread that serves calls
 * is not held up by a large configuration, and no thread has to copy it for another.
 */
export type PackedDocument = { readonly bytes: SharedArrayBuffer; readonly ends: readonly number[] }

type Slice = {
  readonly settings: Document['settings'] | null
  /** What is new in this slice; later slices refer to it by its position among all of its kind. */
  readonly uses: PolicyUse[]
  readonly lists: number[][]
  readonly services: Omit<ServiceDocument, 'routes'>[]
  /** Service, list of policies, and the route without them. */
  readonly routes: [number, number, Omit<RouteDocument, 'policies'>][]
  readonly consumers: readonly ConsumerDocument[]
}

/** Routes of a slice; consumers are smaller. Reading one takes about a millisecond. */
const routesPerSlice = 256
const consumersPerSlice = 1024

const emptySlice = (): Slice => ({ settings: null, uses: [], lists: [], services: [], routes: [], consumers: [] })

function* slicesOf(document: Document): Generator<Slice> {
  const uses = new Map<PolicyUse, number>()
  const lists = new Map<readonly PolicyUse[], number>()
  let slice: Slice = { ...emptySlice(), settings: document.settings }
  const indexOfUse = (use: PolicyUse): number => {
    const known = uses.get(use)
    if (known !== undefined) return known
    uses.set(use, uses.size)
    slice.uses.push(use)
    return uses.size - 1
  }
  const indexOfList = (list: readonly PolicyUse[]): number => {
    const known = lists.get(list)
    if (known !== undefined) return known
    slice.lists.push(list.map(indexOfUse))
    lists.set(list, lists.size)
    return lists.size - 1
  }
  for (const [index, { routes, ...service }] of document.services.entries()) {
    slice.services.push(service)
    for (const { policies, ...route } of routes) {
      slice.routes.push([index, indexOfList(policies), route])
      if (slice.routes.length < routesPerSlice) continue
      yield slice
      slice = emptySlice()
    }
    if (slice.services.length < routesPerSlice) continue
    yield slice
    slice = emptySlice()
  }
  yield slice
  for (let i = 0; i < document.consumers.length; i += consumersPerSlice)
    yield { ...emptySlice(), consumers: document.consumers.slice(i, i + consumersPerSlice) }
}

/** Lays a document out for other threads. */
export const packDocument = (document: Document): PackedDocument => {
  const parts: Buffer[] = []
  const ends: number[] = []
  let length = 0
  for (const slice of slicesOf(document)) {
    const part = serialize(slice)
    parts.push(part)
    ends.push((length += part.length))
  }
  const bytes = new SharedArrayBuffer(length)
  const all = Buffer.from(bytes)
  for (const [index, part] of parts.entries()) part.copy(all, index === 0 ? 0 : ends[index - 1])
  return { bytes, ends }
}

/** Reads a packed document slice by slice; what was one object before is one again. */
export function* unpackSteps({ bytes, ends }: PackedDocument): Steps<Document> {
  const all = Buffer.from(bytes)
  const uses: PolicyUse[] = []
  const lists: PolicyUse[][] = []
  const services: (ServiceDocument & { routes: RouteDocument[] })[] = []
  const consumers: ConsumerDocument[] = []
  let settings: Document['settings'] | null = null
  for (const [index, end] of ends.entries()) {
    const slice = deserialize(all.subarray(index === 0 ? 0 : ends[index - 1], end)) as Slice
    settings ??= slice.settings
    for (const use of slice.uses) uses.push(use)
    for (const list of slice.lists) lists.push(list.map(position => uses[position] as PolicyUse))
    for (const service of slice.services) services.push({ ...service, routes: [] })
    for (const [service, list, route] of slice.routes)
      (services[service] as (typeof services)[number]).routes.push({ ...route, policies: lists[list] as PolicyUse[] })
    for (const consumer of slice.consumers) consumers.push(consumer)
    yield
  }
  if (settings === null) throw new Error('A packed document has no settings')
  return { version: 1, settings, services, consumers }
}
