import { internFieldName } from '../field-names.ts'
import { isToken } from '../headers.ts'

/** What HTTP/2 must know about a field; everything else is `plain`. */
export const nameKinds = {
  plain: 0,
  method: 1,
  scheme: 2,
  authority: 3,
  path: 4,
  protocol: 5,
  status: 6,
  host: 7,
  contentLength: 8,
  te: 9,
  cookie: 10,
  expect: 11,
  /** RFC 9113 §8.2.2: fields of a connection do not exist here. */
  connectionSpecific: 12,
  /** Not a token in lower case, nor a known pseudo-header (RFC 9113 §8.2.1, §8.3). */
  invalid: 13,
} as const

/** Pseudo-headers are the kinds from `method` to `status`. */
export const isPseudo = (kind: number): boolean => kind >= nameKinds.method && kind <= nameKinds.status

export type HeaderName = { readonly text: string; readonly kind: number }

const kindOf: Record<string, number | undefined> = {
  // A field may be called `constructor`.
  __proto__: null as never,
  ':method': nameKinds.method,
  ':scheme': nameKinds.scheme,
  ':authority': nameKinds.authority,
  ':path': nameKinds.path,
  ':protocol': nameKinds.protocol,
  ':status': nameKinds.status,
  host: nameKinds.host,
  'content-length': nameKinds.contentLength,
  te: nameKinds.te,
  cookie: nameKinds.cookie,
  expect: nameKinds.expect,
  connection: nameKinds.connectionSpecific,
  'keep-alive': nameKinds.connectionSpecific,
  'proxy-connection': nameKinds.connectionSpecific,
  'transfer-encoding': nameKinds.connectionSpecific,
  upgrade: nameKinds.connectionSpecific,
}

const known = new Map<string, HeaderName>()
const maxKnown = 2048
const maxKnownLength = 64

/** The one object of a field name as it stands on the wire. */
export const headerName = (raw: string): HeaderName => {
  const found = known.get(raw)
  if (found !== undefined) return found
  const kind = kindOf[raw] ?? (isToken(raw) && raw === raw.toLowerCase() ? nameKinds.plain : nameKinds.invalid)
  // Equal names are one string in all of the engine, so that comparing them compares pointers.
  const text = kind === nameKinds.invalid || isPseudo(kind) ? raw : internFieldName(raw).lower
  const entry = { text, kind }
  if (raw.length <= maxKnownLength && known.size < maxKnown) known.set(text, entry)
  return entry
}

// The engine's own names come first, so that a flood of invented names can never push them out.
for (const name of Object.keys(kindOf)) headerName(name)
