import type { Source } from './case.ts'
import { chunked, cut, fine, invalid, type ResponseCase, reused, whole } from './response-case.ts'

const broken: ResponseCase[] = [
  invalid('nothing-end', 'RFC 9112 §8 MUST', '', 'end'),
  { ...invalid('nothing-reset', 'RFC 9112 §8 MUST', ''), afterwards: 'reset' },
  invalid('half-line-end', 'RFC 9112 §8 MUST', 'HTTP/1.1 20', 'end'),
  invalid('half-head-end', 'RFC 9112 §8 MUST', 'HTTP/1.1 200 OK\r\nContent-Le', 'end'),
  { ...invalid('half-head-reset', 'RFC 9112 §8 MUST', 'HTTP/1.1 200 OK\r\nContent-Le'), afterwards: 'reset' },
  cut('length-end', 'RFC 9112 §8 MUST', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello', 'end'),
  cut('length-reset', 'RFC 9112 §8 MUST', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello', 'reset'),
  cut('chunked-end', 'RFC 9112 §8 MUST', `${chunked}5\r\nhello\r\n`, 'end'),
  cut('chunked-end-in-chunk', 'RFC 9112 §8 MUST', `${chunked}a\r\nhello`, 'end'),
  cut('chunked-end-before-last-line', 'RFC 9112 §8 MUST', `${chunked}5\r\nhello\r\n0\r\n`, 'end'),
  cut('chunked-reset', 'RFC 9112 §8 MUST', `${chunked}5\r\nhello\r\n`, 'reset'),
  cut('until-close-reset', 'RFC 9112 §8 engine', 'HTTP/1.1 200 OK\r\n\r\nhello', 'reset'),
]

/** The first chunk is good, so that the head has gone; the second is not. */
const badChunk = (name: string, text: string, source: Source = 'RFC 9112 §7.1 MUST'): ResponseCase =>
  cut(`chunk-${name}`, source, `${chunked}1\r\nx\r\n|${text}`, 'keep')
/** Not the grammar, but one clear body (`xok`) when it is framed anew. */
const laxChunk = (name: string, text: string, source: Source = 'RFC 9112 §7.1 MAY'): ResponseCase => ({
  ...cut(`chunk-${name}`, source, `${chunked}1\r\nx\r\n|${text}`, 'keep', 'either'),
  clear: 'xok',
})

const chunks: ResponseCase[] = [
  badChunk('size-empty', '\r\n'),
  badChunk('size-not-hex', 'x\r\n'),
  badChunk('size-0x', '0x2\r\nok\r\n0\r\n\r\n'),
  badChunk('size-minus', '-1\r\n'),
  laxChunk('size-leading-space', ' 2\r\nok\r\n0\r\n\r\n'),
  laxChunk('size-trailing-space', '2 \r\nok\r\n0\r\n\r\n'),
  badChunk('size-2^64', '10000000000000002\r\nok\r\n0\r\n\r\n'),
  laxChunk('size-bare-lf', '2\nok\r\n0\r\n\r\n'),
  fine('chunk-extension', 'RFC 9112 §7.1.1 MUST', `${chunked}2;a=b\r\nok\r\n0\r\n\r\n`, reused(200, 'ok')),
  laxChunk('extension-empty', '2;\r\nok\r\n0\r\n\r\n', 'RFC 9112 §7.1.1 MAY'),
  badChunk('data-no-crlf', '2\r\nok0\r\n\r\n'),
  laxChunk('data-bare-lf', '2\r\nok\n0\r\n\r\n'),
  badChunk('data-too-long', '2\r\nokay\r\n0\r\n\r\n'),
  laxChunk('end-bare-lf', '2\r\nok\r\n0\n\n'),
  laxChunk('end-junk', '2\r\nok\r\n0\r\njunk\r\n\r\n', 'RFC 9112 §7.1.2 MAY'),
  laxChunk('trailer-fold', '2\r\nok\r\n0\r\nX-A: 1\r\n 2\r\n\r\n', 'RFC 9112 §5.2 MUST'),
  laxChunk('trailer-content-length', '2\r\nok\r\n0\r\nContent-Length: 2\r\n\r\n', 'RFC 9110 §6.5.1 MUST'),
]

const surplus: ResponseCase[] = [
  ['after-length', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 'GET'],
  ['after-chunked', chunked + whole, 'GET'],
  ['after-204', 'HTTP/1.1 204 No Content\r\n\r\n', 'GET'],
  ['after-304', 'HTTP/1.1 304 Not Modified\r\n\r\n', 'GET'],
  ['after-head', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n', 'HEAD'],
  ['after-length-zero', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 'GET'],
].flatMap(([name, answer, method]) =>
  [
    ['response', 'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned'],
    ['one-byte', '\n'],
    ['body', 'poisoned'],
  ].map(([what, bytes]) => ({
    id: `surplus-${what}-${name}`,
    section: 'RFC 9112 §6.3',
    level: 'MUST' as const,
    answer: `${answer}${bytes}`,
    afterwards: 'keep' as const,
    method: method as string,
    expect: { status: Number((answer as string).slice(9, 12)), reused: false },
    allowed: 'pass' as const,
  })),
)

export const responseBodies: readonly ResponseCase[] = [...broken, ...chunks, ...surplus]
