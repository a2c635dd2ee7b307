import { InvalidCursorError } from '../calls.ts'

/** Where a row stands in the order of the list: by time, then by block, then by place in the block, all descending. */
export type Position = { readonly time: number; readonly block: number; readonly row: number }

/** Negative when `a` comes before `b` in the list (it is newer). */
export const comparePositions = (a: Position, b: Position): number =>
  b.time - a.time || b.block - a.block || b.row - a.row

export const writeCursor = ({ time, block, row }: Position): string =>
  `${time.toString(36)}.${block.toString(36)}.${row.toString(36)}`

/** Throws InvalidCursorError for a text that `writeCursor` cannot have made. */
export const readCursor = (text: string): Position => {
  const match = /^([0-9a-z]{1,10})\.([0-9a-z]{1,10})\.([0-9a-z]{1,6})$/.exec(text)
  if (!match) throw new InvalidCursorError()
  const [time, block, row] = match.slice(1).map(part => Number.parseInt(part, 36)) as [number, number, number]
  return { time, block, row }
}
