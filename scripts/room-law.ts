import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { z } from 'zod'
import { findImports, type Import } from './room-imports.ts'

const reason = z.string().min(10)

const lawSchema = z.strictObject({
  rooms: z.record(
    z.string(),
    z.strictObject({
      floor: z.int(),
      /** Rooms (`http`) or single doors (`gateway/contract`) besides base and the room itself. */
      may: z.array(z.string()),
      /** Folders of this room must not import each other. */
      units: z.boolean().default(false),
      /** The file that must import every unit. */
      list: z.string().optional(),
    }),
  ),
  maximumLines: z.int(),
  maximumTestLines: z.int(),
  exceptions: z.strictObject({
    imports: z.array(z.strictObject({ from: z.string(), to: z.string(), reason })),
    sizes: z.array(z.strictObject({ file: z.string(), maximumLines: z.int(), reason })),
    cycles: z.array(z.strictObject({ file: z.string(), reason })),
  }),
})

export type Law = z.infer<typeof lawSchema>

/** One TypeScript file; `path` is relative to the checkout with slashes. */
export type SourceFile = { path: string; text: string; lines: number; imports: Import[] }

export type House = { root: string; law: Law; files: SourceFile[] }

const folders = ['src', 'scripts', 'test', 'bench', 'examples']

const listFiles = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter(entry => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('node_modules'))
        .map(entry => join(entry.parentPath, entry.name))
    : []

/** Reads rooms.json and every TypeScript file of the checkout at `root`. Throws where rooms.json is not valid. */
export const readHouse = (root: string): House => {
  const law = lawSchema.parse(JSON.parse(readFileSync(join(root, 'rooms.json'), 'utf8')))
  const files = folders
    .flatMap(folder => listFiles(join(root, folder)))
    .map(file => {
      const text = readFileSync(file, 'utf8')
      const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
      return { path: relative(root, file).replaceAll('\\', '/'), text, lines, imports: findImports(text) }
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1))
  return { root, law, files }
}

/** `src/policies/cors/index.ts` stands in room `policies`, unit `cors`; both empty outside of src's folders. */
export const placeOf = (law: Law, path: string): { room: string; unit: string } => {
  const [top, room = '', unit = '', ...rest] = path.split('/')
  if (top !== 'src' || unit === '') return { room: '', unit: '' }
  return { room, unit: law.rooms[room]?.units && rest.length > 0 ? unit : '' }
}

/** The file an import means, relative to the checkout; null for packages and built-in modules. */
export const resolveImport = (from: string, specifier: string): string | null => {
  if (specifier.startsWith('#')) return `src/${specifier.slice(1)}.ts`
  if (specifier.startsWith('.')) return join(dirname(from), specifier).replaceAll('\\', '/')
  return null
}
