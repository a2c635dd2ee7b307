import type { JsonObject, Member } from './json-members.ts'

/** Replaces the bytes from `start` to `end`; an insertion has `start === end`. */
export type Edit = { readonly start: number; readonly end: number; readonly text: string }

/** Applies edits that do not overlap, in the order of their positions; all other bytes stay as they are. */
export const splice = (bytes: Buffer, edits: readonly Edit[]): Buffer => {
  if (edits.length === 0) return bytes
  const pieces: Buffer[] = []
  let position = 0
  for (const { start, end, text } of edits) {
    pieces.push(bytes.subarray(position, start), Buffer.from(text))
    position = end
  }
  pieces.push(bytes.subarray(position))
  return Buffer.concat(pieces)
}

/** The edit that adds a member at the end of an object. */
export const addMember = (object: JsonObject, name: string, value: string): Edit => ({
  start: object.close,
  end: object.close,
  text: `${object.empty ? '' : ','}${JSON.stringify(name)}:${value}`,
})

const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

/** The edit that takes a member out of its object, together with one of the commas beside it. */
export const cutMember = (bytes: Buffer, member: Member): Edit => {
  let end = member.end
  while (isSpace(bytes[end])) end++
  if (bytes[end] === 0x2c) return { start: member.name, end: end + 1, text: '' }
  let start = member.name
  do start--
  while (isSpace(bytes[start]))
  return { start: bytes[start] === 0x2c ? start : member.name, end: member.end, text: '' }
}
