/**
 * Header fields as a flat list `[name, value, name, value, …]`: names in lower case, in the order of the wire,
 * repeated fields repeated. A flat list is the cheapest thing to build and to walk, and h1 and h2 share it.
 */
export type HeaderList = string[]

/** The first value of `name` (lower case), or undefined. */
export const getHeader = (headers: HeaderList, name: string): string | undefined => {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return headers[i + 1]
  return undefined
}

/** All values of `name` in order. */
export const getHeaders = (headers: HeaderList, name: string): string[] => {
  const values: string[] = []
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) values.push(headers[i + 1] as string)
  return values
}

/** Cuts the list off after `kept` entries: taking a few away is cheaper than setting a length, which leaves fast code. */
export const truncate = (headers: HeaderList, kept: number): void => {
  while (headers.length > kept) headers.pop()
}

/** Removes every field called `name`. */
export const removeHeader = (headers: HeaderList, name: string): void => {
  let kept = 0
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] === name) continue
    if (kept !== i) {
      headers[kept] = headers[i] as string
      headers[kept + 1] = headers[i + 1] as string
    }
    kept += 2
  }
  truncate(headers, kept)
}

/** Replaces all fields called `name` by one with `value`. */
export const setHeader = (headers: HeaderList, name: string, value: string): void => {
  removeHeader(headers, name)
  headers.push(name, value)
}

/** Adds a field without touching others of the same name. */
export const appendHeader = (headers: HeaderList, name: string, value: string): void => {
  headers.push(name, value)
}

/** RFC 9110 §5.6.2: a field name is a token. */
export const isToken = (text: string): boolean => /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text)

/** RFC 9110 §5.5: visible characters, space, tab and obs-text; never CR, LF, NUL or another control. */
export const isFieldValue = (text: string): boolean => /^[\t\x20-\x7e\x80-\xff]*$/.test(text)
