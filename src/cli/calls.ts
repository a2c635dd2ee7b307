import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { UserError } from '#base/errors'
import { suggest } from '#config/suggest'
import { askConsole, type ConsoleFlags } from './ask-console.ts'
import { type CallRow, createCallTable, renderCall, renderJson } from './call-table.ts'

export const help = `portico calls [options]

  Shows the call log of the running Portico, newest last.

  --follow               goes on with new calls until Ctrl-C
  --service NAME         only calls of this service
  --consumer NAME        only calls of this consumer
  --status STATUS        only this status (404), class (5xx) or error (400 and above)
  --id REQUEST_ID        one call in full; the id is in the x-request-id of each response
  --limit N              how many of the newest calls, 1 to 1000 (20)
  --json                 one JSON object per line instead of a table
  --console URL          console of the running gateway (PORTICO_CONSOLE, http://127.0.0.1:8081)
  --admin-token TOKEN    its token (PORTICO_ADMIN_TOKEN, else the data folder's)
  --data DIR             data folder (PORTICO_DATA, .portico)`

const options = {
  follow: { type: 'boolean' },
  service: { type: 'string' },
  consumer: { type: 'string' },
  status: { type: 'string' },
  id: { type: 'string' },
  limit: { type: 'string' },
  json: { type: 'boolean' },
  console: { type: 'string' },
  'admin-token': { type: 'string' },
  data: { type: 'string' },
} as const

const followMs = 500
const followLimit = 200
/** Pages asked for in one turn; with more new calls than that, nobody could read them anyway. */
const followPages = 5
/** A call is listed where it began: one that took this long to end is still noticed. */
const followSlackMs = 600_000
const maxSeen = 50_000

type Flags = ReturnType<typeof readFlags>
type Page = { items: CallRow[]; nextCursor: string | null }

const readFlags = (args: string[]) => {
  try {
    return parseArgs({ args, options, strict: true }).values
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const unknown = code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' ? /'--?([^']*)'/.exec(message)?.[1] : undefined
    const near = unknown === undefined ? null : suggest(unknown, Object.keys(options))
    const what = message.split('. ')[0]?.replace(/\n.*/s, '')
    throw new UserError(`${what}${near === null ? '' : `; did you mean --${near}?`} See portico calls --help`, 2)
  }
}

const readLimit = (text: string | undefined): number => {
  if (text === undefined) return 20
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > 1000) throw new UserError('--limit takes a whole number from 1 to 1000', 2)
  return limit
}

/** Shows calls; the exit code. What went wrong is thrown as a UserError of one line. */
export const run = async (args: string[]): Promise<number> => {
  const flags = readFlags(args)
  const limit = readLimit(flags.limit)
  if (flags.id !== undefined && flags.follow)
    throw new UserError('--id shows one call and --follow all new ones: give one of them', 2)
  // Whoever reads us (head, less) may have seen enough: that is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  if (flags.id !== undefined) {
    const call = (await askConsole(`/api/calls/${encodeURIComponent(flags.id)}`, flags)) as CallRow
    process.stdout.write(flags.json ? renderJson(call) : renderCall(call))
    return 0
  }
  const { items } = await askPage(flags, { limit: String(limit) })
  const print = printer(flags)
  print(items.toReversed())
  if (!flags.follow) {
    if (items.length === 0 && !flags.json) process.stderr.write('No calls match.\n')
    return 0
  }
  await follow(flags, items, items.length === limit, print)
  return 0
}

const askPage = (flags: Flags, page: Record<string, string>): Promise<Page> => {
  const query = new URLSearchParams(page)
  for (const name of ['service', 'consumer', 'status'] as const) {
    const value = flags[name]
    if (value !== undefined) query.set(name, value)
  }
  return askConsole(`/api/calls?${query}`, flags satisfies ConsoleFlags) as Promise<Page>
}

const printer = (flags: Flags): ((calls: CallRow[]) => void) => {
  const table = createCallTable(process.stdout.hasColors?.() ?? false)
  return calls => {
    if (flags.json) for (const call of calls) process.stdout.write(renderJson(call))
    else process.stdout.write(table(calls))
  }
}

/** Asks for new calls again and again until Ctrl-C. */
const follow = async (
  flags: Flags,
  shown: CallRow[],
  more: boolean,
  print: (calls: CallRow[]) => void,
): Promise<void> => {
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  process.once('SIGTERM', () => stop.abort())
  const seen = new Set(shown.map(keyOf))
  // What is older than the first page was left out on purpose and must not appear later.
  let floor = more ? Date.parse(shown.at(-1)?.startedAt ?? '') : 0
  for (;;) {
    await wait(followMs, undefined, { signal: stop.signal }).catch(() => {})
    if (stop.signal.aborted) return
    const fresh = await askFresh(flags, seen, floor)
    if (stop.signal.aborted) return
    print(fresh.toReversed())
    for (const call of fresh) {
      seen.add(keyOf(call))
      floor = Math.max(floor, Date.parse(call.startedAt) - followSlackMs)
    }
    for (const key of seen) {
      if (seen.size <= maxSeen) break
      seen.delete(key)
    }
  }
}

const keyOf = (call: CallRow): string => `${call.requestId} ${call.startedAt}`

/** Calls not seen before, newest first; looks back until a page has nothing new. */
const askFresh = async (flags: Flags, seen: ReadonlySet<string>, floor: number): Promise<CallRow[]> => {
  const fresh: CallRow[] = []
  let cursor: string | null = ''
  for (let page = 0; page < followPages && cursor !== null; page++) {
    const answer: Page = await askPage(flags, { limit: String(followLimit), from: String(floor), cursor })
    const unseen = answer.items.filter(call => !seen.has(keyOf(call)))
    fresh.push(...unseen)
    if (unseen.length === 0) break
    cursor = answer.nextCursor
  }
  return fresh
}
