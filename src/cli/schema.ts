import { configCatalogue } from '#app/catalogue'
import { configJsonSchema } from '#config/json-schema'

export const help = `portico schema

  Prints the JSON Schema (2020-12) of portico.yaml with every policy of this version. Editors complete and check with it:

  portico schema > portico.schema.json
  # yaml-language-server: $schema=./portico.schema.json     (first line of portico.yaml)`

/** `portico schema`; the exit code. */
export const run = async (args: string[]): Promise<number> => {
  if (args.length > 0) {
    process.stderr.write('portico schema takes no arguments\n')
    return 1
  }
  process.stdout.write(`${JSON.stringify(configJsonSchema(configCatalogue), null, 2)}\n`)
  return 0
}
