/** What the demonstration model says and how it counts; pure, so that every answer can be foretold. */

const longestEcho = 160

/** A stand-in for tokens: one per word with the white space before it. Put together they are the text again. */
export const words = (text: string): string[] => text.match(/\s*\S+|\s+$/g) ?? []

const shortened = (text: string): string => {
  const plain = text.replaceAll(/\s+/g, ' ').trim()
  const letters = [...plain]
  return letters.length > longestEcho ? `${letters.slice(0, longestEcho).join('')}…` : plain
}

/** The answer to a question: honest about its origin, and an echo. */
export const demoAnswer = (question: string): string =>
  `This is Portico's built-in demonstration model: no real inference happened. ` +
  (question.trim() === '' ? 'You asked nothing.' : `You asked: “${shortened(question)}”`)

/** FNV-1a, 32 bits (RFC 9923). */
const hash = (text: string): number => {
  let value = 0x811c9dc5
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193)
  return value >>> 0
}

/**
 * A unit vector from the letter trigrams of a text, each hashed to one dimension and a sign ("hashing trick",
 * Weinberger et al. 2009): the same text gives the same vector, and texts that share letters are near each other.
 */
export const embed = (text: string, dimensions: number): Float32Array => {
  const vector = new Float32Array(dimensions)
  const letters = [...` ${text.toLowerCase().normalize('NFC')} `]
  for (let i = 0; i + 2 < letters.length || i === 0; i++) {
    const value = hash(letters.slice(i, i + 3).join(''))
    const dimension = (value >>> 1) % dimensions
    vector[dimension] = (vector[dimension] as number) + (value & 1 ? 1 : -1)
  }
  const length = Math.hypot(...vector)
  if (length === 0) vector[0] = 1
  else for (let i = 0; i < dimensions; i++) vector[i] = (vector[i] as number) / length
  return vector
}
