import { resolve } from 'node:path'

/** What `${…}` may reach. `readFile` gets an absolute path and throws when the file cannot be read. */
export type Surroundings = {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly folder: string
  readonly readFile: (path: string) => string
}

export type Substitution = { ok: true; text: string; whole: boolean } | { ok: false; message: string; offset: number }

/** Why a file could not be read, without the machine's own words. */
export const fileProblem = (error: unknown): string => {
  const code = (error as NodeJS.ErrnoException | null)?.code
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'there is no such file'
  if (code === 'EACCES' || code === 'EPERM') return 'the file may not be read (permission denied)'
  if (code === 'EISDIR') return 'it is a folder'
  return error instanceof Error ? error.message : 'the file cannot be read'
}

const lookUp = (inside: string, { env, folder, readFile }: Surroundings): { text: string } | { message: string } => {
  if (inside.startsWith('file:')) {
    const path = inside.slice('file:'.length)
    if (path === '') return { message: 'the file name after "${file:" is missing' }
    try {
      return { text: readFile(resolve(folder, path)).replace(/(?:\r?\n)+$/, '') }
    } catch (error) {
      return { message: `"\${${inside}}" cannot be filled in: ${fileProblem(error)}` }
    }
  }
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(inside)) {
    return { message: `a "\${" must begin \${NAME} or \${file:PATH}; the characters themselves are written "$\${"` }
  }
  const value = Object.hasOwn(env, inside) ? env[inside] : undefined
  return value === undefined ? { message: `the environment variable ${inside} is not set` } : { text: value }
}

/**
 * Fills in `${NAME}` and `${file:PATH}`; `$${` stands for `${`. What is filled in is not looked at again.
 * `whole` tells that the text was one substitution and nothing else.
 */
export const substitute = (text: string, surroundings: Surroundings): Substitution => {
  let result = ''
  let position = 0
  for (;;) {
    const dollar = text.indexOf('${', position)
    if (dollar === -1) return { ok: true, text: result + text.slice(position), whole: false }
    if (dollar > position && text[dollar - 1] === '$') {
      result += `${text.slice(position, dollar - 1)}\${`
      position = dollar + 2
      continue
    }
    const end = text.indexOf('}', dollar)
    if (end === -1) return { ok: false, message: 'the "}" after "${" is missing', offset: dollar }
    const found = lookUp(text.slice(dollar + 2, end), surroundings)
    if ('message' in found) return { ok: false, message: found.message, offset: dollar }
    if (dollar === 0 && end === text.length - 1) return { ok: true, text: found.text, whole: true }
    result += text.slice(position, dollar) + found.text
    position = end + 1
  }
}

/** Reads text as a plain scalar of the YAML 1.2 core schema (§10.3.2). */
export const coreScalar = (text: string): string | number | boolean | null => {
  if (/^(?:|~|null|Null|NULL)$/.test(text)) return null
  if (/^(?:true|True|TRUE)$/.test(text)) return true
  if (/^(?:false|False|FALSE)$/.test(text)) return false
  if (/^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+)$/.test(text))
    return Number(text)
  return text
}
