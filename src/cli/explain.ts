import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type Explanation, explainFile } from '#app/explain-file'
import { UserError } from '#base/errors'
import { askConsole } from './ask-console.ts'

export const help = `portico explain METHOD URL [-H 'Name: value'] [options]

  Tells which route a request takes and why others do not, which policies run, and which target is asked.
  URL is a path or a whole URL. Nothing is sent to an upstream.

  -H, --header 'Name: value'   a request header; may be repeated
  --config FILE                explain this file instead of the running gateway
  --json                       the whole answer as JSON
  --console URL                console of the running gateway (PORTICO_CONSOLE, http://127.0.0.1:8081)
  --admin-token TOKEN          its token (PORTICO_ADMIN_TOKEN, else the data folder's)
  --data DIR                   data folder (PORTICO_DATA, .portico)`

const options = {
  header: { type: 'string', short: 'H', multiple: true },
  config: { type: 'string' },
  json: { type: 'boolean' },
  console: { type: 'string' },
  'admin-token': { type: 'string' },
  data: { type: 'string' },
} as const

const read = (args: string[]) => {
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: true })
  } catch (error) {
    throw new UserError(`${(error as Error).message.split('. ')[0]}. See portico explain --help`, 2)
  }
}

const headerPair = (line: string): [string, string] => {
  const colon = line.indexOf(':')
  if (colon <= 0) throw new UserError(`-H takes 'Name: value', not ${JSON.stringify(line)}`, 2)
  return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()]
}

/** Prints an explanation; exit code 0 when a route matched, 1 when none did. */
export const run = async (args: string[]): Promise<number> => {
  const { values, positionals } = read(args)
  const [method, url] = positionals
  if (method === undefined || url === undefined || positionals.length > 2)
    throw new UserError('portico explain takes a method and a URL: portico explain GET /orders/7', 2)
  const headers = (values.header ?? []).map(headerPair)
  const explanation =
    values.config === undefined
      ? ((await askConsole('/api/explain', values, { method, url, headers })) as Explanation)
      : explainFile(resolve(values.config), method, url, headers.flat())
  process.stdout.write(values.json === true ? `${JSON.stringify(explanation, null, 2)}\n` : render(explanation))
  return explanation.route === null ? 1 : 0
}

const render = (explanation: Explanation): string => {
  const { request, route, policies, handler, target, shaping, rejected, problem } = explanation
  const lines = [
    `request   ${request.method} ${request.host}${request.path}${request.query === '' ? '' : `?${request.query}`}`,
  ]
  if (route !== null) {
    const params = Object.entries(route.params).map(([name, value]) => `${name} = ${value}`)
    lines.push(
      `route     ${route.id}  (service ${route.service}, path ${route.path}${params.length === 0 ? '' : `; ${params.join(', ')}`})`,
    )
    lines.push(
      `policies  ${policies.length === 0 ? 'none' : policies.map(({ name, scope }) => `${name} (${scope})`).join(' > ')}`,
    )
    lines.push(`handler   ${handler}`)
  }
  if (target !== null) {
    const { url, address, path, balance, targets, out, panic } = target
    const chosen = url === '' ? 'none' : `${url}${address === null ? '' : ` (${address})`} ${path}`
    lines.push(`target    ${chosen}  (${balance} over ${targets.length}${panic ? '; panic: all are used' : ''})`)
    for (const one of out) lines.push(`out       ${one.target}  (${one.health})`)
  }
  for (const { key, text } of shaping) lines.push(`${key.padEnd(10)}${text}`)
  if (problem !== null) lines.push(`answer    ${problem.status} ${problem.code}: ${problem.detail}`)
  for (const { id, reason } of rejected) lines.push(`rejected  ${id}  (${reason})`)
  return `${lines.join('\n')}\n`
}
