import { isIPv4, isIPv6 } from 'node:net'

/** An address as 16-bit groups: two for IPv4, eight for IPv6. IPv4-mapped IPv6 (RFC 4291 §2.5.5.2) counts as IPv4. */
export type Address = readonly number[]

/** A block of addresses: those whose first `prefix` bits are the same as in `groups`. */
export type AddressRange = { readonly groups: Address; readonly prefix: number }

const ipv4Groups = (text: string): number[] => {
  const [a, b, c, d] = text.split('.').map(Number) as [number, number, number, number]
  return [a * 256 + b, c * 256 + d]
}

const ipv6Groups = (text: string): number[] => {
  const part = (side: string): number[] =>
    side === ''
      ? []
      : side.split(':').flatMap(group => (group.includes('.') ? ipv4Groups(group) : [Number.parseInt(group, 16)]))
  const [left = '', right] = text.split('::')
  if (right === undefined) return part(left)
  const head = part(left)
  const tail = part(right)
  return [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail]
}

const isMapped = (groups: Address): boolean =>
  groups.length === 8 && groups.slice(0, 5).every(group => group === 0) && groups[5] === 0xffff

/** Reads an address; a zone (`%eth0`) is left out. Null for anything else. */
export const parseAddress = (text: string): Address | null => {
  if (isIPv4(text)) return ipv4Groups(text)
  if (!isIPv6(text)) return null
  const groups = ipv6Groups(text.split('%', 1)[0] as string)
  return isMapped(groups) ? groups.slice(6) : groups
}

/** The bits of group `index` that belong to the first `prefix` bits of an address. */
const groupMask = (prefix: number, index: number): number => {
  const bits = Math.min(16, Math.max(0, prefix - index * 16))
  return (0xffff << (16 - bits)) & 0xffff
}

/** Reads `10.0.0.0/8`, `2001:db8::/32` or a single address. Returns what is wrong as text otherwise. */
export const parseRange = (text: string): AddressRange | string => {
  const [host = '', length, ...more] = text.split('/')
  const groups = host.includes('%') ? null : parseAddress(host)
  if (groups === null || more.length > 0)
    return 'is not an address or a range: write it like 10.0.0.0/8 or 2001:db8::/32'
  const bits = groups.length * 16
  // A mapped range counts its prefix from the start of the IPv6 address; the IPv4 part begins at bit 96.
  const mapped = bits === 32 && host.includes(':')
  const [low, high] = mapped ? [96, 128] : [0, bits]
  const written = length === undefined ? high : /^(0|[1-9]\d{0,2})$/.test(length) ? Number(length) : -1
  if (written < low || written > high) return `has a wrong prefix length: from /${low} to /${high}`
  const prefix = written - low
  if (groups.some((group, index) => (group & ~groupMask(prefix, index)) !== 0))
    return `has bits behind its prefix: /${written} leaves them out, so either the address or the prefix is wrong`
  return { groups, prefix }
}

/** Whether `address` lies in `range`; IPv4 and IPv6 never match each other, so `::/0` is all of IPv6 only. */
export const inRange = (address: Address, { groups, prefix }: AddressRange): boolean => {
  if (address.length !== groups.length) return false
  for (let i = 0; i * 16 < prefix; i++)
    if (((address[i] as number) & groupMask(prefix, i)) !== (groups[i] as number)) return false
  return true
}
