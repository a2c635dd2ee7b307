import { UserError } from '#base/errors'
import { formatConfigError } from '#config/errors'
import { type Explanation, explain } from '#gateway/explain'
import { readConfiguration } from './configuration.ts'

export type { Explanation } from '#gateway/explain'

/** Explains a request by a config file, without a running gateway. Throws a UserError when the file is wrong. */
export const explainFile = (file: string, method: string, url: string, headers: string[]): Explanation => {
  const loaded = readConfiguration(file, process.env, 1)
  if (!loaded.ok) throw new UserError(loaded.errors.map(formatConfigError).join('\n'))
  return explain(loaded.snapshot, { method, url, headers })
}
