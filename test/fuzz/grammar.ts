import type { Random } from './random.ts'

const methods = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH']
const targets = [
  '/',
  '/a',
  '/a/b?c=d',
  '/a%20b',
  '*',
  'http://a.test/x',
  'http://a.test',
  '/?',
  '//',
  '/a;b',
  '/..',
  '/a#b',
]
const versions = [
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'HTTP/0.9',
  'http/1.1',
  'HTTP/1',
]
const names = [
  ...[
    'Host',
    'host',
    'Content-Length',
    'content-length',
    'Transfer-Encoding',
    'Connection',
    'Upgrade',
    'Expect',
    'X-A',
  ],
  ...['Accept', 'Cookie', 'Keep-Alive', 'TE', 'Trailer', 'X_B', 'Content_Length', '__proto__', 'Proxy-Connection'],
]
const values = [
  ...['a.test', 'a.test:80', '0', '5', '05', '+5', '-1', '0x5', '5, 5', '5,6', '18446744073709551616', 'chunked'],
  ...['Chunked', 'chunked, chunked', 'gzip, chunked', 'identity', 'xchunked', 'close', 'keep-alive', 'close, x-a'],
  ...['upgrade', 'websocket', '100-continue', '', ' ', '\t', 'a b', 'caf\xe9', 'x'.repeat(300), '"quoted"', ',', ';'],
]
const separators = [': ', ': ', ': ', ': ', ':', ':\t', ' : ', ':  ', '\t:', ' ', '']
const ends = ['\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\r\n', '\n\r', '\r\n ', '\r\n\t']
const junk = [
  '\0',
  '\r',
  '\n',
  '\t',
  ' ',
  '\x0b',
  '\x7f',
  '\x1f',
  '\x80',
  '\xff',
  ':',
  ',',
  ';',
  '"',
  '(',
  '/',
  '@',
  '\\',
  '{',
  '}',
]

/** A request head that is mostly right, so that what is wrong is reached. */
export const randomHead = (random: Random): string => {
  const usual = random.chance(0.8)
  const space = usual ? ' ' : random.pick([' ', '  ', '\t', '\r ', ''])
  const end = () => (usual || random.chance(0.7) ? '\r\n' : random.pick(ends))
  let text = `${random.pick(methods)}${space}${random.pick(targets)} ${random.chance(0.8) ? 'HTTP/1.1' : random.pick(versions)}${end()}`
  if (random.chance(0.9)) text += `Host: a.test${end()}`
  const count = random.int(5)
  for (let i = 0; i < count; i++)
    text += `${random.pick(names)}${usual || random.chance(0.7) ? ': ' : random.pick(separators)}${random.pick(values)}${end()}`
  return `${text}\r\n`
}

/** Inserts, deletes, repeats or replaces a little of `text`. */
export const mutate = (random: Random, text: string): string => {
  let result = text
  const count = random.int(3)
  for (let i = 0; i < count; i++) {
    const at = random.int(result.length + 1)
    const length = 1 + random.int(4)
    const byte = random.chance(0.7) ? random.pick(junk) : String.fromCharCode(random.int(256))
    switch (random.int(4)) {
      case 0:
        result = result.slice(0, at) + byte + result.slice(at)
        break
      case 1:
        result = result.slice(0, at) + result.slice(at + length)
        break
      case 2:
        result = result.slice(0, at) + byte + result.slice(at + 1)
        break
      default:
        result = result.slice(0, at) + result.slice(at, at + length) + result.slice(at)
    }
  }
  return result
}

const statusLines = [
  'HTTP/1.1 200 OK',
  'HTTP/1.1 204 No Content',
  'HTTP/1.0 200 OK',
  'HTTP/1.1 304 ',
  'HTTP/1.1 99 X',
  'HTTP/1.1 200',
]

/** A response head in the same spirit. */
export const randomResponseHead = (random: Random): string => {
  const lines = [random.pick(statusLines)]
  for (let count = random.int(5); count > 0; count--) lines.push(`${random.pick(names)}: ${random.pick(values)}`)
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** A chunked body with its decoded form; valid. */
export const randomChunked = (random: Random): { wire: string; body: string; trailers: string[] } => {
  let wire = ''
  let body = ''
  for (let count = random.int(6); count > 0; count--) {
    const data = Array.from({ length: 1 + random.int(40) }, () =>
      random.chance(0.2) ? random.pick(['\r', '\n', '0', ';']) : String.fromCharCode(random.int(256)),
    ).join('')
    const size = data.length.toString(16)
    wire += `${random.chance(0.2) ? '00' : ''}${random.chance(0.5) ? size.toUpperCase() : size}\r\n${data}\r\n`
    body += data
  }
  const trailers: string[] = []
  let fields = ''
  for (let count = random.int(3); count > 0; count--) {
    const value = random.pick(['1', 'a b', '', 'caf\xe9'])
    fields += `X-T${count}: ${value}\r\n`
    trailers.push(`x-t${count}`, value)
  }
  return { wire: `${wire}0\r\n${fields}\r\n`, body, trailers }
}
