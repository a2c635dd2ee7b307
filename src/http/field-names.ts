/**
 * What the engine itself must know about a field. Everything else is `plain` and passes through.
 * `hop` fields end at this connection (RFC 9110 §7.6.1).
 */
export const fieldKinds = {
  plain: 0,
  hop: 1,
  host: 2,
  contentLength: 3,
  transferEncoding: 4,
  connection: 5,
  upgrade: 6,
  expect: 7,
  keepAlive: 8,
  /** Passes, but is the gateway's own to set. */
  requestId: 9,
} as const

export type FieldName = { readonly lower: string; readonly kind: number }

const kindOf: Record<string, number | undefined> = {
  // A field may be called `constructor`.
  __proto__: null as never,
  connection: fieldKinds.connection,
  'content-length': fieldKinds.contentLength,
  expect: fieldKinds.expect,
  host: fieldKinds.host,
  'keep-alive': fieldKinds.keepAlive,
  'proxy-connection': fieldKinds.hop,
  te: fieldKinds.hop,
  'transfer-encoding': fieldKinds.transferEncoding,
  upgrade: fieldKinds.upgrade,
  'x-request-id': fieldKinds.requestId,
}

/** Bounds of what is learned from the wire: an attacker must not be able to fill memory with names. */
const maxLearned = 2048
const maxLearnedLength = 64

const known = new Map<string, FieldName>()
const byLower = new Map<string, FieldName>()

/**
 * The interned form of a field name as it was written. One Map look-up replaces lower-casing, and equal names
 * become the same string object, so that later comparisons are pointer comparisons.
 */
export const internFieldName = (raw: string): FieldName => {
  const found = known.get(raw)
  if (found !== undefined) return found
  // A copy, since a piece of a head would keep the whole head in memory.
  const own = Buffer.from(raw, 'latin1').latin1Slice()
  // A property key is the engine's one object for its text: names compare by pointer, here and in every policy.
  const lower = Object.keys({ [own.toLowerCase()]: true })[0] as string
  const entry = byLower.get(lower) ?? { lower, kind: kindOf[lower] ?? fieldKinds.plain }
  if (raw.length <= maxLearnedLength && known.size < maxLearned) {
    known.set(own, entry)
    byLower.set(lower, entry)
  }
  return entry
}

const slots = 4096
const rawNames: string[] = new Array(slots).fill('')
const entries: FieldName[] = new Array(slots).fill({ lower: '', kind: fieldKinds.plain })

/**
 * The same for the name at `start` … `end` of a head, without cutting it out: `hash` (made while its characters were
 * checked) leads to a remembered name, which is compared with the text. A slot holds the latest name of its hash.
 */
export const fieldNameAt = (text: string, start: number, end: number, hash: number): FieldName => {
  const slot = hash & (slots - 1)
  const raw = rawNames[slot] as string
  if (raw.length === end - start && text.startsWith(raw, start)) return entries[slot] as FieldName
  const name = text.slice(start, end)
  const entry = internFieldName(name)
  if (name.length <= maxLearnedLength) {
    rawNames[slot] = Buffer.from(name, 'latin1').latin1Slice()
    entries[slot] = entry
  }
  return entry
}

// The engine's own names are learned first, so that a flood of invented names can never push them out.
for (const name of [
  ...Object.keys(kindOf),
  'accept',
  'accept-encoding',
  'authorization',
  'cache-control',
  'content-type',
]) {
  internFieldName(name)
  internFieldName(name.replace(/(^|-)([a-z])/g, (_, dash: string, letter: string) => dash + letter.toUpperCase()))
}
