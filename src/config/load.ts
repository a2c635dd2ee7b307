import { isUtf8 } from 'node:buffer'
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { decodeConsumers } from './consumers.ts'
import { createContractReader } from './contracts.ts'
import type { ConfigCatalogue, Document } from './document.ts'
import type { ConfigError } from './errors.ts'
import { decode } from './issues.ts'
import { createPemReader } from './pem.ts'
import { createPolicyMerge, isMap } from './policies.ts'
import { Problems } from './problems.ts'
import { quickValues } from './quick-values.ts'
import { rootShape, settingsSchema } from './schema.ts'
import { decodeSection, decodeService, type ServiceContext } from './services.ts'
import { lazySource, maxFileSize, readSource } from './source.ts'
import { fileProblem } from './substitute.ts'
import { decodeTls } from './tls.ts'
import { readValues } from './values.ts'

export { type ConfigError, formatConfigError } from './errors.ts'

export type LoadResult =
  | {
      readonly ok: true
      readonly document: Document
      /** Absolute paths of certificates and keys that the document was filled in from. */
      readonly files: readonly string[]
      readonly warnings: readonly ConfigError[]
    }
  | { readonly ok: false; readonly errors: readonly ConfigError[] }

type Environment = Readonly<Record<string, string | undefined>>

export type ParseOptions = {
  /** Name of the file in messages; what the file names is relative to its folder. */
  readonly file: string
  readonly catalogue: ConfigCatalogue
  readonly env?: Environment
  /** Reads a file as text, given its absolute path; throws when it cannot. */
  readonly readFile: (path: string) => string
}

const freeze = <Value>(value: Value): Value => {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  const prototype = Object.getPrototypeOf(value)
  // What a unit decoded to an object of its own class is its own affair.
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return value
  Object.freeze(value)
  for (const key in value) {
    const part = value[key]
    if (typeof part === 'object' && part !== null) freeze(part)
  }
  return value
}

const failure = (file: string, message: string): LoadResult => ({
  ok: false,
  errors: [{ file, path: '', line: 1, column: 1, message, suggestion: null }],
})

const emptyFile = 'the file is empty: it needs at least "version: 1"'

const listAt = (root: Record<string, unknown>, key: string): unknown[] => (Array.isArray(root[key]) ? root[key] : [])

const decodeRoot = (
  root: unknown,
  problems: Problems,
  { catalogue, file, env, readFile }: ParseOptions,
): { document: Document; files: readonly string[] } => {
  const { policies: units, sections } = catalogue
  const sectionKeys = Object.fromEntries(sections.map(({ key }) => [key, z.unknown().optional()]))
  const top = decode(z.strictObject({ ...sectionKeys, ...rootShape }), root)
  if (!top.ok) problems.reportIssues(top.issues, issue => issue.path)
  const values = isMap(root) ? root : {}

  const written = values['settings'] === undefined ? {} : values['settings']
  const settings = decode(settingsSchema, written)
  if (!settings.ok) problems.reportIssues(settings.issues, issue => ['settings', ...issue.path])

  const policies = createPolicyMerge(units, problems)
  const atSettings = isMap(written) ? written['policies'] : undefined
  const level = policies.below(policies.none, 'settings', ['settings', 'policies'], atSettings)
  const contract = createContractReader({ env: env ?? {}, folder: dirname(resolve(file)), readFile })
  const readText = (path: string) => readFile(resolve(dirname(resolve(file)), path))
  const pem = createPemReader({ problems, folder: dirname(resolve(file)), readFile })
  const context: ServiceContext = { problems, policies, contract, readText, pem, names: new Map(), claims: new Map() }
  const services = listAt(values, 'services').flatMap((one, index) => decodeService(one, index, level, context) ?? [])
  for (const section of sections) {
    const value = values[section.key]
    if (value !== undefined) services.push(...decodeSection(section, value, level, context))
  }
  const consumers = decodeConsumers(listAt(values, 'consumers'), problems)
  policies.finish()

  const { policies: _, tls: writtenTls, ...rest } = settings.ok ? settings.value : settingsSchema.parse({})
  const tls = writtenTls === undefined ? null : decodeTls(writtenTls, ['settings', 'tls'], pem, problems)
  return { document: { version: 1, settings: { ...rest, tls }, services, consumers }, files: [...pem.files] }
}

/** Turns the text of a config file into a checked, frozen document, or into all of its errors. Never throws. */
export const parseDocument = (text: string, options: ParseOptions): LoadResult => {
  const { file, env = {}, readFile } = options
  const bare = text.startsWith('\uFEFF') ? text.slice(1) : text
  if (Buffer.byteLength(bare) > maxFileSize) return failure(file, 'the file is larger than 16 MB')

  const surroundings = { env, folder: dirname(resolve(file)), readFile }
  const quick = quickValues(bare, surroundings)
  if (isMap(quick)) {
    // Where things stand is only asked when something is wrong: the full reading takes ten times as long.
    const problems = new Problems(file, lazySource(bare))
    const { document, files } = decodeRoot(quick, problems, options)
    if (problems.found) return { ok: false, errors: problems.list() }
    return { ok: true, document: freeze(document), files, warnings: problems.warnings }
  }

  const source = readSource(bare)
  const problems = new Problems(file, source)
  for (const { offset, message, suggestion } of source.problems) problems.reportAt(offset, message, suggestion)
  if (problems.found) return { ok: false, errors: problems.list() }

  const values = readValues(source, surroundings)
  for (const { offset, message, suggestion } of values.problems) problems.reportAt(offset, message, suggestion)
  for (const node of values.unfilled) problems.unfilled.add(node)
  if (!values.complete) return { ok: false, errors: problems.list() }
  const { value } = values
  if (value === null) return failure(file, emptyFile)
  if (!isMap(value)) return failure(file, 'the file must be a map that begins with "version: 1"')
  const { document, files } = decodeRoot(value, problems, options)
  if (problems.found) return { ok: false, errors: problems.list() }
  return { ok: true, document: freeze(document), files, warnings: problems.warnings }
}

/** Reads a text file; stops one byte above the limit, so that an endless device cannot hold us up. */
const readText = (path: string): string => {
  const descriptor = openSync(path, 'r')
  try {
    const { size } = fstatSync(descriptor)
    const buffer = Buffer.allocUnsafe(Math.min(size || maxFileSize, maxFileSize) + 1)
    let length = 0
    while (length < buffer.length) {
      const count = readSync(descriptor, buffer, length, buffer.length - length, null)
      if (count === 0) break
      length += count
    }
    if (length > maxFileSize) throw new Error('it is larger than 16 MB')
    if (!isUtf8(buffer.subarray(0, length))) throw new Error('it is not UTF-8 text')
    return buffer.toString('utf8', 0, length)
  } finally {
    closeSync(descriptor)
  }
}

/** Reads and checks a config file. Never throws: a file that cannot be read is an error like any other. */
export const loadDocument = (file: string, catalogue: ConfigCatalogue, env: Environment = process.env): LoadResult => {
  let text: string
  try {
    text = readText(file)
  } catch (error) {
    return failure(file, `cannot be read: ${fileProblem(error)}`)
  }
  return parseDocument(text, { file, catalogue, env, readFile: readText })
}
