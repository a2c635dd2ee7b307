import { styleText } from 'node:util'

/** The members of a call that are printed by name; `--id` and `--json` print whatever there is. */
export type CallRow = {
  readonly requestId: string
  readonly startedAt: string
  readonly status: number
  readonly method: string
  readonly path: string
  readonly service: string
  readonly consumer: string
  readonly durationMs: number
  readonly errorCode: string
  readonly grpcStatus?: number | null
}

/**
 * Controls that a terminal would obey (C0, DEL, C1), line separators, and marks that turn the direction of writing.
 * Paths, ids and names are written by strangers.
 */
const unsafe = /[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

const escapeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`

/** The text with everything a terminal could act on written as `\u001b`. */
export const printable = (text: string): string => text.toWellFormed().replace(unsafe, escapeUnit)

/** A JSON object on one line; the escapes are JSON's own, so that it stays the same value. */
export const renderJson = (call: object): string => `${JSON.stringify(call).replace(unsafe, escapeUnit)}\n`

const localTime = (iso: string): string => {
  const time = new Date(iso)
  if (Number.isNaN(time.getTime())) return printable(iso)
  const pad = (value: number, width = 2): string => String(value).padStart(width, '0')
  const day = `${time.getFullYear()}-${pad(time.getMonth() + 1)}-${pad(time.getDate())}`
  const clock = `${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}`
  return `${day} ${clock}.${pad(time.getMilliseconds(), 3)}`
}

const maxWidth = 60
/** Cut by characters, never inside of one. */
const shorten = (text: string): string => {
  const characters = [...text]
  return characters.length <= maxWidth ? text : `${characters.slice(0, maxWidth - 1).join('')}…`
}

const head = ['TIME', 'STATUS', 'METHOD', 'PATH', 'SERVICE', 'CONSUMER', 'MS', 'ERROR']
const rightAligned = head.indexOf('MS')
const statusColumn = head.indexOf('STATUS')

/** A gRPC call that failed has HTTP status 200. */
const errorOf = ({ errorCode, grpcStatus }: CallRow): string =>
  errorCode === '' && grpcStatus ? `grpc-status ${grpcStatus}` : errorCode

const cellsOf = (call: CallRow): string[] =>
  [
    localTime(call.startedAt),
    String(call.status),
    call.method,
    call.path,
    call.service,
    call.consumer,
    Number(call.durationMs).toFixed(1),
    errorOf(call),
  ].map(text => shorten(printable(text)) || '-')

const colourOf = (status: string): 'red' | 'yellow' | 'green' =>
  status.startsWith('5') ? 'red' : status.startsWith('4') ? 'yellow' : 'green'

/**
 * Makes a printer of calls as aligned lines, with a head before the first ones. Columns only grow, so that lines
 * printed later stand under those before.
 */
export const createCallTable = (colours: boolean): ((calls: readonly CallRow[]) => string) => {
  const widths = head.map(name => name.length)
  let first = true

  const line = (cells: readonly string[], isHead: boolean): string => {
    const padded = cells.map((cell, column) => {
      const space = ' '.repeat((widths[column] as number) - [...cell].length)
      const text = column === rightAligned ? space + cell : cell + space
      return colours && !isHead && column === statusColumn
        ? styleText(colourOf(cell), text, { validateStream: false })
        : text
    })
    return `${padded.join('  ').trimEnd()}\n`
  }

  return calls => {
    if (calls.length === 0) return ''
    const rows = calls.map(cellsOf)
    for (const row of rows) {
      row.forEach((cell, column) => {
        widths[column] = Math.max(widths[column] as number, [...cell].length)
      })
    }
    const text = (first ? line(head, true) : '') + rows.map(row => line(row, false)).join('')
    first = false
    return text
  }
}

/** One call in full: a line per member, empty ones left out. */
export const renderCall = (call: object): string => {
  const members = Object.entries(call).filter(([, value]) => value !== '' && value !== null)
  const width = Math.max(...members.map(([name]) => name.length))
  return members.map(([name, value]) => `${printable(name).padEnd(width)}  ${printable(String(value))}\n`).join('')
}
