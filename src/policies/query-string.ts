/**
 * A query string is edited piece by piece, so that what no policy asked to change reaches the service byte for byte.
 * Names and values are compared as byte strings (each character is one byte, text is UTF-8), like header values.
 */

/** Text as a byte string: what it looks like on the wire when sent as UTF-8. */
export const toBytes = (text: string): string =>
  /[^\x00-\x7f]/.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text

/** Reads percent escapes as bytes; broken ones stay as they are. */
export const decodeBytes = (raw: string): string =>
  raw.includes('%')
    ? raw.replace(/%([0-9a-fA-F]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
    : raw

/** Reads one name or value of a query, where `+` is a space. */
const decodeQuery = (raw: string): string => decodeBytes(raw.includes('+') ? raw.replaceAll('+', ' ') : raw)

/** Percent-encodes every byte that is not unreserved (RFC 3986 §2.3), so that it can stand in any part of a URL. */
export const encodeBytes = (bytes: string): string =>
  bytes.replace(/[^A-Za-z0-9\-._~]/g, byte => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)

const nameEnd = (piece: string): number => {
  const at = piece.indexOf('=')
  return at < 0 ? piece.length : at
}

export const pieceName = (piece: string): string => decodeQuery(piece.slice(0, nameEnd(piece)))

export const pieceValue = (piece: string): string => decodeQuery(piece.slice(nameEnd(piece) + 1))

/** The pieces between `&`; none for an empty query. */
export const splitQuery = (query: string): string[] => (query === '' ? [] : query.split('&'))
