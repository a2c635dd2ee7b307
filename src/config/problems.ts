import { isScalar, type Node } from 'yaml'
import { type ConfigError, formatPath, isSecretKey, type Path } from './errors.ts'
import type { Issue } from './issues.ts'
import type { Source } from './source.ts'

const maxErrors = 1000

/** Keys that the format has room for but this version does not know yet. */
const planned = new Set(['workflows', 'plans', 'consumers[].policies', 'consumers[].plan'])

/** Gathers what is wrong with one file; the same thing at the same place is kept once. */
export class Problems {
  readonly file: string
  readonly source: Source
  /** Values that could not be filled in: that was reported, and nothing else about them is. */
  readonly unfilled = new Set<Node>()
  readonly warnings: ConfigError[] = []
  private readonly errors = new Map<string, ConfigError>()

  constructor(file: string, source: Source) {
    this.file = file
    this.source = source
  }

  get found(): boolean {
    return this.errors.size > 0
  }

  /** `services[0].routes[1] (line 12)`: how a message names another place of the file. */
  place(path: Path): string {
    return `${formatPath(path)} (line ${this.source.position(this.source.locate(path, 'key')).line})`
  }

  /** Something wrong at an offset of the text, without a path. */
  reportAt(offset: number, message: string, suggestion: string | null = null): void {
    this.add('', offset, message, suggestion)
  }

  report(path: Path, part: 'key' | 'value', message: string, suggestion: string | null = null): void {
    const node = this.source.node(path)
    if (node !== null && this.unfilled.has(node)) return
    this.add(formatPath(path), this.source.locate(path, part), ...this.discreet(path, message, suggestion))
  }

  warn(path: Path, part: 'key' | 'value', message: string, suggestion: string | null = null): void {
    const place = this.source.position(this.source.locate(path, part))
    this.warnings.push({ file: this.file, path: formatPath(path), ...place, message, suggestion })
  }

  /** Reports what a schema found; `where` turns the path of an issue into one of the file. */
  reportIssues(issues: readonly Issue[], where: (issue: Issue) => Path): void {
    for (const issue of issues) {
      const path = where(issue)
      const shape = formatPath(path).replace(/\[\d+\]/g, '[]')
      const part = issue.kind === 'missing' || issue.kind === 'key' ? 'key' : 'value'
      if (issue.kind === 'key' && planned.has(shape)) this.report(path, part, 'is not supported by this version')
      else this.report(path, part, issue.message, issue.suggestion)
    }
  }

  /** All errors in the order of the file. */
  list(): ConfigError[] {
    const sorted = [...this.errors.values()].sort((a, b) => a.line - b.line || a.column - b.column)
    if (this.errors.size < maxErrors) return sorted
    const last = sorted.at(-1)!
    return [...sorted, { ...last, path: '', message: 'there are more errors, not shown here', suggestion: null }]
  }

  private add(path: string, offset: number, message: string, suggestion: string | null): void {
    if (this.errors.size >= maxErrors) return
    const key = `${offset} ${path} ${message}`
    if (this.errors.has(key)) return
    this.errors.set(key, { file: this.file, path, ...this.source.position(offset), message, suggestion })
  }

  /** Neither secrets nor what came from outside of the file is repeated. */
  private discreet(path: Path, message: string, suggestion: string | null): [string, string | null] {
    const node = this.source.node(path)
    const text = isScalar(node) && typeof node.value === 'string' ? node.value : ''
    if (!path.some(isSecretKey) && !text.includes('${')) return [message, suggestion]
    return [text.length > 2 ? message.replaceAll(text, '…') : message, null]
  }
}
