import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { UserError } from '#base/errors'

/** How a command was told to find the running Portico; every part has an environment variable and a default. */
export type ConsoleFlags = {
  console?: string | undefined
  'admin-token'?: string | undefined
  data?: string | undefined
}

const addressOf = (flags: ConsoleFlags): string => {
  const given = flags.console ?? process.env['PORTICO_CONSOLE'] ?? '127.0.0.1:8081'
  const url = /^https?:\/\//.test(given) ? given : `http://${given}`
  if (!URL.canParse(url)) throw new UserError(`--console takes a URL or HOST:PORT, not ${JSON.stringify(given)}`, 2)
  return url.replace(/\/$/, '')
}

const tokenOf = (flags: ConsoleFlags): string => {
  const given = flags['admin-token'] ?? process.env['PORTICO_ADMIN_TOKEN']
  if (given !== undefined && given !== '') return given
  const file = join(resolve(flags.data ?? process.env['PORTICO_DATA'] ?? '.portico'), 'admin-token')
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    throw new UserError(
      `No admin token: give --admin-token, PORTICO_ADMIN_TOKEN, or --data with the folder of the running Portico (looked for ${file})`,
    )
  }
}

/**
 * Asks the admin API of the running Portico; a body makes it a POST. Resolves with the decoded JSON. What went wrong
 * is told in one line: nobody there, wrong token, or the problem detail of the answer.
 */
export const askConsole = async (path: string, flags: ConsoleFlags, body?: unknown): Promise<unknown> => {
  const url = addressOf(flags)
  const response = await fetch(url + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      authorization: `Bearer ${tokenOf(flags)}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }).catch(() => {
    throw new UserError(
      `Nothing answers at ${url}. Is Portico running? Start it with npm start, or name its console with --console`,
    )
  })
  if (response.status === 401) throw new UserError(`${url} does not accept this admin token`)
  const text = await response.text()
  let answer: unknown
  try {
    answer = JSON.parse(text)
  } catch {
    throw new UserError(`${url} did not answer like a Portico console (status ${response.status})`)
  }
  if (!response.ok)
    throw new UserError(`${url}: ${(answer as { detail?: string }).detail ?? `status ${response.status}`}`)
  return answer
}
