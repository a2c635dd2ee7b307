import type { ConsumerDocument } from './document.ts'
import { type Path, quote } from './errors.ts'
import { decode } from './issues.ts'
import type { Problems } from './problems.ts'
import { consumerSchema } from './schema.ts'

/** Decodes the consumers; names and keys must be unique, since a key says who is calling. */
export const decodeConsumers = (written: readonly unknown[], problems: Problems): ConsumerDocument[] => {
  const names = new Map<string, Path>()
  const hashes = new Map<string, Path>()
  return written.flatMap((value, index) => {
    const at = ['consumers', index]
    const result = decode(consumerSchema, value)
    if (!result.ok) {
      problems.reportIssues(result.issues, issue => [...at, ...issue.path])
      return []
    }
    const { name, groups, keys } = result.value
    const sameName = names.get(name)
    if (sameName) {
      problems.report([...at, 'name'], 'value', `the name ${quote(name)} is taken by ${problems.place(sameName)}`)
    } else names.set(name, [...at, 'name'])
    for (const [position, hash] of keys.entries()) {
      const path = [...at, 'keys', position]
      const sameKey = hashes.get(hash)
      if (sameKey) problems.report(path, 'value', `is the same key as ${problems.place(sameKey)}`)
      else hashes.set(hash, path)
    }
    return [{ name, groups, keyHashes: keys }]
  })
}
