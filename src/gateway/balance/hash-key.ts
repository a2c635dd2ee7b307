import type { HashKeyDocument } from '#config/document'
import { getHeader } from '#http/headers'
import type { BalanceCall } from '../target.ts'
import { readCookie } from './cookie.ts'

/** 32 bits of text: FNV-1a, its weak low bits mixed as in MurmurHash3. */
export const hashText = (text: string, seed = 0x811c9dc5): number => {
  let hash = seed
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

const textOf = (call: BalanceCall, key: HashKeyDocument): string | undefined => {
  if (key.from === 'ip') return call.clientAddress
  if (key.from === 'path') return call.path
  if (key.from === 'consumer') return call.consumer?.name
  return key.from === 'cookie' ? readCookie(call.headers, key.name) : getHeader(call.headers, key.name)
}

/** Where a call stands on the ring; anywhere when it lacks what is hashed. */
export const hashOf = (call: BalanceCall, key: HashKeyDocument): number => {
  const text = textOf(call, key)
  return text === undefined ? Math.floor(Math.random() * 0x1_0000_0000) : hashText(text)
}
