/**
 * RFC 7541 Appendix B as the length of each symbol's code: `a` is 5 bits, `z` is 30; the last one is EOS. The code is
 * canonical (in order of length, then of symbol), so the lengths say everything.
 */
const lengths =
  'isxxxxxxxtzxxzxxxxxxxxzxxxxxxxxxbffhibdgffdgdbbbaaabbbbbbbcdkbhfibccccccccccccccccccccccdcdioijbkabababbbaccbb' +
  'babcbaabccccckgjixprpprrrsrssssststtrstssssqrsrsstrqprrssqsrrtqrssqqrqsrssprrrsrrsvvporsruvvvwwvtuoqvwwvwtqqvv' +
  'xwwwptpqrqqsrruuttvsvwvvwwwwwxwwwwwvz'
const endOfString = 256
/** Padding is up to 7 bits of EOS, which is all ones (RFC 7541 §5.2). */
const maxPadding = 7

/** Code and length by symbol. */
export const huffmanCodes = new Uint32Array(257)
export const huffmanBits = Uint8Array.from(lengths, letter => letter.charCodeAt(0) - 92)

/** Nodes of the code's tree as pairs of children: another node, or `~symbol` of a leaf. */
const tree: [number, number][] = [[0, 0]]

const addLeaf = (symbol: number, code: number, length: number): void => {
  let node = 0
  for (let bit = length - 1; bit > 0; bit--) {
    const pair = tree[node] as [number, number]
    const side = (code >>> bit) & 1
    if (pair[side] === 0) {
      pair[side] = tree.length
      tree.push([0, 0])
    }
    node = pair[side] as number
  }
  ;(tree[node] as [number, number])[code & 1] = ~symbol
}

let nextCode = 0
let previousLength = 0
for (const symbol of Array.from(huffmanBits.keys()).sort(
  (a, b) => (huffmanBits[a] as number) - (huffmanBits[b] as number) || a - b,
)) {
  const length = huffmanBits[symbol] as number
  nextCode <<= length - previousLength
  previousLength = length
  huffmanCodes[symbol] = nextCode
  addLeaf(symbol, nextCode, length)
  nextCode++
}

const hasSymbol = 0x1_0000
const fails = 0x2_0000

/** What four bits do at a node: bits 0–7 the next node, 8–15 the symbol that ended, 16 whether one did, 17 failure. */
const steps = new Uint32Array(tree.length * 16)
for (let node = 0; node < tree.length; node++)
  for (let nibble = 0; nibble < 16; nibble++) {
    let at = node
    let result = 0
    for (let bit = 3; bit >= 0; bit--) {
      const child = (tree[at] as [number, number])[(nibble >>> bit) & 1] as number
      if (child >= 0) at = child
      else if (~child === endOfString) result |= fails
      else {
        result |= hasSymbol | (~child << 8)
        at = 0
      }
    }
    steps[node * 16 + nibble] = result | at
  }

/** Whether a string may end at a node: at the root, or after at most seven bits of padding, all ones. */
const mayEnd = new Uint8Array(tree.length)
for (let depth = 0, node = 0; depth <= maxPadding; depth++) {
  mayEnd[node] = 1
  node = (tree[node] as [number, number])[1] as number
}

let scratch: Buffer = Buffer.allocUnsafeSlow(4096)

/** Decodes bytes from `start` to `end` (RFC 7541 §5.2); null when they are not a valid code. */
export const decodeHuffman = (bytes: Buffer, start: number, end: number): string | null => {
  // The shortest code has five bits.
  const most = ((end - start) * 8) / 5
  if (most > scratch.length) scratch = Buffer.allocUnsafeSlow(Math.ceil(most) * 2)
  const out = scratch
  let length = 0
  let node = 0
  let seen = 0
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    const high = steps[(node << 4) | (byte >>> 4)] as number
    if ((high & hasSymbol) !== 0) out[length++] = (high >>> 8) & 0xff
    const low = steps[((high & 0xff) << 4) | (byte & 15)] as number
    if ((low & hasSymbol) !== 0) out[length++] = (low >>> 8) & 0xff
    seen |= high | low
    node = low & 0xff
  }
  return (seen & fails) !== 0 || mayEnd[node] === 0 ? null : out.latin1Slice(0, length)
}
