import type { Alias, Node, YAMLError, YAMLMap, Document as YamlDocument } from 'yaml'
import {
  Composer,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  visit,
} from 'yaml'
import type { Path } from './errors.ts'

/** Bytes of a config file; a million routes need about half of it. */
export const maxFileSize = 16 * 1024 * 1024
const maxLexemes = 5_000_000
const maxDepth = 100

export type SourceProblem = { offset: number; message: string; suggestion: string | null }

/** A parsed YAML file that still knows where everything stands. */
export type Source = {
  readonly root: Node | null
  readonly problems: readonly SourceProblem[]
  /** Counts from 1. */
  position(offset: number): { line: number; column: number }
  /** Where `path` is written: the key of a map entry, or its value. What is missing is shown at what it is missing from. */
  locate(path: Path, part: 'key' | 'value'): number
  /** The node at `path`, with aliases followed. */
  node(path: Path): Node | null
  /** What an alias stands for, any other node itself, and null for an alias without an anchor before it. */
  follow(node: unknown): Node | null
}

type Tree = { document: YamlDocument.Parsed | null; problems: SourceProblem[] }

const problem = (offset: number, message: string, suggestion: string | null = null): SourceProblem => ({
  offset,
  message,
  suggestion,
})

const messages: Partial<Record<YAMLError['code'], string>> = {
  BAD_INDENT: 'the indentation does not fit the lines above',
  BAD_SCALAR_START: 'a plain value cannot begin with this character: put the value in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a "key: value" stands where a single value is expected: check the indentation and the quotes',
  BLOCK_IN_FLOW: 'inside { } or [ ] entries are separated by commas, not by lines',
  KEY_OVER_1024_CHARS: 'the ":" after a key is missing',
  MULTILINE_IMPLICIT_KEY: 'the ":" after a key is missing, or the indentation is wrong',
  TAB_AS_INDENT: 'a tab cannot indent: use spaces',
  TAG_RESOLVE_FAILED: 'this YAML tag is not supported',
  MULTIPLE_DOCS: 'a config file holds one YAML document: remove the "---" between',
}

/** Where the bracket or quote begins that nothing closes before `offset`. */
const openingBefore = (document: YamlDocument.Parsed, offset: number): number | null => {
  let opening: number | null = null
  visit(document, {
    Node(_, node) {
      if (!node.range || node.range[0] >= offset || node.range[2] < offset) return
      if ((isCollection(node) && node.flow) || (isScalar(node) && node.type?.startsWith('QUOTE_')))
        opening = node.range[0]
    },
  })
  return opening
}

/** Says in our words what the YAML library found; its own may quote a piece of the file, and that may be a secret. */
const wording = (error: YAMLError, document: YamlDocument.Parsed): SourceProblem => {
  const unclosed = /^Missing closing|must (?:be sufficiently indented and )?end with a/.test(error.message)
  const opening = unclosed ? openingBefore(document, error.pos[0]) : null
  if (opening !== null) return problem(opening, 'what begins here is not closed')
  const words = messages[error.code] ?? `not valid YAML: ${error.message.replace(/: ?["`].*$/s, '')}`
  return problem(error.pos[0], words)
}

const compose = (text: string): Tree => {
  const parser = new Parser()
  const tokens = []
  let lexemes = 0
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) tokens.push(token)
    if (parser.stack.length > maxDepth) {
      return { document: null, problems: [problem(parser.offset, `nested deeper than ${maxDepth} levels`)] }
    }
    if (++lexemes > maxLexemes) return { document: null, problems: [problem(parser.offset, 'too many values')] }
  }
  for (const token of parser.end()) tokens.push(token)
  const composer = new Composer<never>({ uniqueKeys: false, version: '1.2', prettyErrors: false })
  const [document, second] = composer.compose(tokens, true, text.length)
  if (!document) return { document: null, problems: [] }
  const problems = [...document.errors, ...document.warnings].map(error => wording(error, document))
  if (second) problems.push(problem(second.range[0], messages.MULTIPLE_DOCS as string))
  if (document.directives?.yaml.version !== '1.2') problems.push(problem(0, 'only YAML 1.2 is supported'))
  return { document, problems }
}

/** Substitutions look like maps to YAML inside of braces; say so where that happened. */
const explainSubstitution = (text: string, found: SourceProblem): SourceProblem => {
  const start = text.lastIndexOf('\n', found.offset - 1) + 1
  const end = text.indexOf('\n', found.offset)
  // Only the part of the line before the error counts, and a little after it: the brace itself may be the error.
  const line = text.slice(start, Math.min(end === -1 ? text.length : end, found.offset + 40))
  const bare = /(?:^|[\s,[{:])\$\{/.test(line)
  return bare ? { ...found, message: `${found.message}; inside { } and [ ] write "\${NAME}" in quotes` } : found
}

/** After the first mistake of a line YAML misunderstands the rest of it. */
const firstOfLines = (problems: readonly SourceProblem[], lineOf: (offset: number) => number): SourceProblem[] => {
  const seen = new Set<number>()
  return [...problems]
    .sort((a, b) => a.offset - b.offset)
    .filter(({ offset }) => {
      const line = lineOf(offset)
      if (seen.has(line)) return false
      seen.add(line)
      return true
    })
}

const pairIndexes = new WeakMap<YAMLMap, Map<string, number>>()

const findPair = (map: YAMLMap, key: string) => {
  let index = pairIndexes.get(map)
  if (!index) {
    index = new Map()
    for (let i = 0; i < map.items.length; i++) {
      const name = map.items[i]?.key
      const label = isScalar(name) ? String(name.value) : ''
      if (!index.has(label)) index.set(label, i)
    }
    pairIndexes.set(map, index)
  }
  const position = index.get(key)
  return position === undefined ? undefined : map.items[position]
}

/** Each alias with its node; the library's own `resolve` walks the whole document for every one. */
const linkAliases = (document: YamlDocument.Parsed): Map<Alias, Node> => {
  const anchors = new Map<string, Node>()
  const links = new Map<Alias, Node>()
  visit(document, {
    Node(_, node) {
      if (isAlias(node)) {
        const target = anchors.get(node.source)
        if (target) links.set(node, target)
      } else if (node.anchor) anchors.set(node.anchor, node)
    },
  })
  return links
}

const startOf = (node: unknown): number | undefined => (isNode(node) && node.range ? node.range[0] : undefined)

/** Reads YAML 1.2 and keeps every position. Never throws: what is wrong is in `problems`. */
export const readSource = (text: string): Source => {
  const lines = new LineCounter()
  lines.addNewLine(0)
  for (let i = text.indexOf('\n'); i !== -1; i = text.indexOf('\n', i + 1)) lines.addNewLine(i + 1)

  // YAML 1.2 §5.1: of the C0 controls only tab, line feed and carriage return may stand in a file.
  const control = text.search(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/)
  const binary = [problem(control, 'a control character cannot stand here: is this a text file?')]
  const { document, problems } = control === -1 ? compose(text) : { document: null, problems: binary }
  const links = document && text.includes('&') ? linkAliases(document) : new Map<Alias, Node>()
  const follow = (node: unknown): Node | null => {
    if (isAlias(node)) return links.get(node) ?? null
    return isNode(node) ? node : null
  }

  const position = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }

  const walk = (path: Path) => {
    let node = follow(document?.contents)
    let key = startOf(node) ?? 0
    let value = key
    for (const part of path) {
      let next: unknown
      if (isMap(node)) {
        const pair = findPair(node, String(part))
        if (!pair) return { node: null, key, value: key }
        key = startOf(pair.key) ?? key
        next = pair.value
        const empty = isScalar(next) && next.range !== undefined && next.range?.[0] === next.range?.[1]
        value = empty ? key : (startOf(next) ?? key)
      } else if (isSeq(node) && typeof part === 'number' && part < node.items.length) {
        next = node.items[part]
        key = value = startOf(next) ?? key
      } else return { node: null, key, value: key }
      node = follow(next)
    }
    return { node, key, value }
  }

  return {
    root: follow(document?.contents),
    problems: firstOfLines(problems, offset => position(offset).line).map(found => explainSubstitution(text, found)),
    position,
    locate: (path, part) => walk(path)[part],
    node: path => walk(path).node,
    follow,
  }
}

/** The same, read when a place is first asked for. */
export const lazySource = (text: string): Source => {
  let read: Source | null = null
  const source = (): Source => (read ??= readSource(text))
  return {
    get root() {
      return source().root
    },
    get problems() {
      return source().problems
    },
    position: offset => source().position(offset),
    locate: (path, part) => source().locate(path, part),
    node: path => source().node(path),
    follow: node => source().follow(node),
  }
}
