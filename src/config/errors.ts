/** One mistake in a config file, at the place where it is written. */
export type ConfigError = {
  readonly file: string
  /** `services[0].routes[1].path`; empty for the file as a whole. */
  readonly path: string
  /** Both count from 1. */
  readonly line: number
  readonly column: number
  /** Never holds the value of a secret. */
  readonly message: string
  /** What was probably meant, ready to be typed in its place. */
  readonly suggestion: string | null
}

export type Path = readonly (string | number)[]

/** `services[0].routes[1].path`; keys that are not plain words are quoted. */
export const formatPath = (path: Path): string => {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else if (/^[A-Za-z_$][\w$-]*$/.test(part)) text += text === '' ? part : `.${part}`
    else text += `[${quote(part)}]`
  }
  return text
}

/** Text in quotes, shortened, with every control character escaped. */
export const quote = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text)

/** Names of keys whose values are never shown. */
export const isSecretKey = (key: string | number): boolean =>
  typeof key === 'string' && /secret|api[-_]?key|password|passphrase|token|credential|authorization/i.test(key)

/** One line: place, path, message, and the suggestion when there is one. */
export const formatConfigError = ({ file, line, column, path, message, suggestion }: ConfigError): string =>
  `${file}:${line}:${column}  ${path === '' ? '' : `${path}  `}${message}${
    suggestion === null ? '' : `; did you mean ${quote(suggestion)}?`
  }`
