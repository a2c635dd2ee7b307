import { cutQuery, templateParts } from '#config/templates'
import { segmentsOf } from '../match.ts'

/** What of a request templates are filled with; all of it normalised already. */
export type TemplateInput = {
  readonly path: string
  /** Without `?`. */
  readonly query: string
  readonly params: Readonly<Record<string, string>>
  readonly host: string
}

export type Filled = { readonly path: string; readonly query: string | null }

/** What of a path may not stand in a query as it is, since it would end a value or begin another one. */
const queryMarks = /[&=+#?;]/g

/** A piece of a path as a part of a value in a query. Escapes stay as they are. */
export const inQuery = (piece: string): string =>
  piece.replace(queryMarks, mark => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)

/** What of `path` is below a route: empty, or it begins with a slash. */
const restBelow = (path: string, segments: number): string => {
  let at = 0
  for (let i = 0; i < segments && at >= 0; i++) at = path.indexOf('/', at + 1)
  return at < 0 ? '' : segments === 0 && path === '/' ? '' : path.slice(at)
}

type Piece = (input: TemplateInput) => string

/** Compiles a checked template (src/config/templates.ts) of a route. The path is not normalised again. */
export const compileTemplate = (text: string, route: string): ((input: TemplateInput) => Filled) => {
  const depth = segmentsOf(route).length
  const pieceOf = (name: string): Piece => {
    if (name === 'path') return ({ path }) => path
    if (name === 'host') return ({ host }) => host
    if (name === 'rest') return ({ path }) => restBelow(path, depth)
    return ({ params }) => params[name] ?? ''
  }
  const piecesOf = (part: string, query: boolean): Piece[] => {
    const parts = templateParts(part)
    if (!Array.isArray(parts)) throw new Error(`the template ${parts.message}`)
    return parts.map(one => {
      if ('literal' in one) return () => one.literal
      if (query && one.name === 'query') return input => input.query
      const piece = pieceOf(one.name)
      return query ? input => inQuery(piece(input)) : piece
    })
  }
  const { path, query } = cutQuery(text)
  const pathPieces = piecesOf(path, false)
  const queryPieces = query === null ? null : piecesOf(query, true)
  const fill = (pieces: Piece[], input: TemplateInput): string => {
    let filled = ''
    for (const piece of pieces) filled += piece(input)
    return filled
  }
  return input => ({
    path: fill(pathPieces, input),
    query: queryPieces === null ? null : fill(queryPieces, input),
  })
}
