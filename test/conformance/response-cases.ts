import assert from 'node:assert/strict'
import { headerOf, ok, type ResponseMessage } from '../harness.ts'

type Afterwards = 'keep' | 'end' | 'reset'

/** What an origin answers, and what a strict gateway makes of it. */
export type ResponseCase = {
  readonly id: string
  readonly section: string
  /** What the origin sends, and how it goes on. */
  readonly answer: string
  readonly afterwards: Afterwards
  readonly method?: string
  readonly expect: {
    readonly status: number
    readonly body?: string
    /** Whether the client sees a whole response (default true). */
    readonly complete?: boolean
    /** Whether the gateway may use the connection to the origin again. */
    readonly reused: boolean
    readonly check?: (response: ResponseMessage) => void
  }
}

const invalid = (id: string, section: string, answer: string, afterwards: Afterwards = 'keep'): ResponseCase => ({
  id,
  section,
  answer,
  afterwards,
  expect: { status: 502, reused: false },
})

/** The head was good and has travelled; what is wrong comes later, so that only a cut can tell the client. */
const cut = (id: string, section: string, answer: string, afterwards: Afterwards): ResponseCase => ({
  id,
  section,
  answer,
  afterwards,
  expect: { status: 200, complete: false, reused: false },
})

const line = (text: string): string => `${text}\r\nContent-Length: 2\r\n\r\nok`
const with2 = (...fields: string[]): string =>
  `HTTP/1.1 200 OK\r\n${fields.map(field => `${field}\r\n`).join('')}\r\nok`
const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
const whole = '2\r\nok\r\n0\r\n\r\n'
const length2 = 'Content-Length: 2'

const statusLines: ResponseCase[] = [
  ['two-spaces', 'HTTP/1.1  200 OK'],
  ['no-status', 'HTTP/1.1 '],
  ['no-version', '200 OK'],
  ['two-digits', 'HTTP/1.1 20 OK'],
  ['four-digits', 'HTTP/1.1 2000 OK'],
  ['letters', 'HTTP/1.1 2xx OK'],
  ['negative', 'HTTP/1.1 -20 OK'],
  ['zero', 'HTTP/1.1 000 OK'],
  ['below-100', 'HTTP/1.1 099 OK'],
  ['above-599', 'HTTP/1.1 600 OK'],
  ['tab', 'HTTP/1.1\t200\tOK'],
  ['lower-case', 'http/1.1 200 OK'],
  ['icy', 'ICY 200 OK'],
  ['version-2', 'HTTP/2.0 200 OK'],
  ['version-short', 'HTTP/1 200 OK'],
  ['version-long', 'HTTP/1.10 200 OK'],
  ['space-before', ' HTTP/1.1 200 OK'],
  ['reason-nul', 'HTTP/1.1 200 O\x00K'],
  ['reason-control', 'HTTP/1.1 200 O\x07K'],
  ['reason-bare-cr', 'HTTP/1.1 200 O\rK'],
  ['bare-lf', 'HTTP/1.1 200 OK\nX-A: 1'],
  ['junk', 'hello'],
].map(([name, text]) => invalid(`status-${name}`, 'RFC 9112 §4', line(text as string)))

type Fine = ResponseCase['expect']

const fine = (id: string, section: string, answer: string, expect: Fine, more: Partial<ResponseCase> = {}) => ({
  ...{ id, section, answer, afterwards: 'keep' as const, expect },
  ...more,
})

const reused = (status = 200, body?: string): Fine => ({ status, body, reused: true })
const closed = (status = 200, body?: string): Fine => ({ status, body, reused: false })
const hasHeader = (name: string, value: string) => ({
  ...reused(),
  check: (response: ResponseMessage) => assert.equal(headerOf(response, name), value),
})
const bare = (start: string, ...fields: string[]): string => `${[start, ...fields].join('\r\n')}\r\n\r\n`
const asHead = { method: 'HEAD' }

const good: ResponseCase[] = [
  fine('status-plain', 'RFC 9112 §4', line('HTTP/1.1 200 OK'), reused(200, 'ok')),
  fine('status-no-reason', 'RFC 9112 §4', line('HTTP/1.1 200 '), reused(200, 'ok')),
  fine('status-no-reason-no-space', 'RFC 9112 §4', line('HTTP/1.1 200'), reused(200, 'ok')),
  fine('status-unknown', 'RFC 9110 §15', line('HTTP/1.1 299 Odd'), reused(299, 'ok')),
  fine('status-599', 'RFC 9110 §15', line('HTTP/1.1 599 Odd'), reused(599, 'ok')),
  fine('close-asked', 'RFC 9112 §9.6', with2(length2, 'Connection: close'), closed(200, 'ok')),
  fine('1.0-closes', 'RFC 9112 §9.3', line('HTTP/1.0 200 OK'), closed(200, 'ok')),
  fine('1.0-keep-alive', 'RFC 9112 §9.3', line('HTTP/1.0 200 OK\r\nConnection: keep-alive'), reused(200, 'ok')),
  fine('chunked', 'RFC 9112 §7.1', chunked + whole, reused(200, 'ok')),
  fine('chunked-empty', 'RFC 9112 §7.1', `${chunked}0\r\n\r\n`, reused(200, '')),
  fine('length-zero', 'RFC 9112 §6.2', bare('HTTP/1.1 200 OK', 'Content-Length: 0'), reused(200, '')),
  fine('until-close', 'RFC 9112 §6.3', 'HTTP/1.1 200 OK\r\n\r\nhello', closed(200, 'hello'), { afterwards: 'end' }),
  fine('until-close-empty', 'RFC 9112 §6.3', bare('HTTP/1.1 200 OK'), closed(200, ''), { afterwards: 'end' }),
  fine('whole-then-end', 'RFC 9112 §9.5', ok('ok'), closed(200, 'ok'), { afterwards: 'end' }),
  fine('204', 'RFC 9112 §6.3', bare('HTTP/1.1 204 No Content'), reused(204)),
  fine('304', 'RFC 9112 §6.3', bare('HTTP/1.1 304 Not Modified', 'Content-Length: 99'), reused(304)),
  fine(
    'head-length',
    'RFC 9112 §6.3',
    bare('HTTP/1.1 200 OK', 'Content-Length: 99'),
    hasHeader('content-length', '99'),
    asHead,
  ),
  fine('head-chunked', 'RFC 9112 §6.3', chunked, reused(), asHead),
  fine('obs-text-value', 'RFC 9110 §5.5', with2(length2, 'X-A: caf\xe9'), hasHeader('x-a', 'caf\xe9')),
]

const ambiguous: ResponseCase[] = [
  invalid(
    'both-cl-te',
    'RFC 9112 §6.3',
    `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n${whole}`,
  ),
  invalid(
    'both-te-cl',
    'RFC 9112 §6.3',
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n${whole}`,
  ),
  invalid('length-differing', 'RFC 9112 §6.3', with2(length2, 'Content-Length: 3')),
  invalid('length-repeated', 'engine', with2(length2, length2)),
  invalid('length-list', 'engine', with2('Content-Length: 2, 2')),
  invalid('length-list-differing', 'RFC 9112 §6.3', with2('Content-Length: 2, 3')),
  invalid('length-minus', 'RFC 9110 §8.6', with2('Content-Length: -2')),
  invalid('length-plus', 'RFC 9110 §8.6', with2('Content-Length: +2')),
  invalid('length-hex', 'RFC 9110 §8.6', with2('Content-Length: 0x2')),
  invalid('length-empty', 'RFC 9110 §8.6', with2('Content-Length:')),
  invalid('length-word', 'RFC 9110 §8.6', with2('Content-Length: two')),
  invalid('length-2^64', 'RFC 9110 §8.6', with2('Content-Length: 18446744073709551618')),
  invalid('coding-gzip', 'engine', with2('Transfer-Encoding: gzip'), 'end'),
  invalid('coding-gzip-chunked', 'engine', `HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n${whole}`),
  invalid('coding-identity', 'RFC 9112 §7', with2('Transfer-Encoding: identity'), 'end'),
  invalid(
    'coding-twice',
    'RFC 9112 §6.1',
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n${whole}`,
  ),
  invalid('coding-xchunked', 'RFC 9112 §6.3', with2('Transfer-Encoding: xchunked'), 'end'),
  invalid('coding-empty', 'RFC 9112 §6.1', with2('Transfer-Encoding:'), 'end'),
  invalid('coding-in-1.0', 'RFC 9112 §6.1', `HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${whole}`),
]

const fields: ResponseCase[] = [
  ['space-before-colon', 'X-A : 1'],
  ['length-space-before-colon', 'Content-Length : 2'],
  ['no-colon', 'X-A'],
  ['empty-name', ': 1'],
  ['name-not-token', 'X A: 1'],
  ['fold', 'X-A: 1\r\n 2'],
  ['bare-lf', 'X-A: 1\nX-B: 2'],
  ['bare-cr', 'X-A: 1\r2'],
  ['nul', 'X-A: 1\x002'],
  ['del', 'X-A: \x7f'],
  ['control', 'X-A: \x01'],
  ['first-line-space', ' X-A: 1'],
].map(([name, field]) => invalid(`field-${name}`, 'RFC 9112 §5', with2(field as string, length2)))

const limits: ResponseCase[] = [
  invalid('head-too-large', 'engine', with2(`X-A: ${'x'.repeat(200_000)}`, length2)),
  invalid('head-too-many', 'engine', with2(...Array.from({ length: 2000 }, (_, i) => `X-${i}: 1`), length2)),
  invalid('head-endless', 'engine', `HTTP/1.1 200 OK\r\nX-A: ${'x'.repeat(300_000)}`),
]

const broken: ResponseCase[] = [
  invalid('nothing-end', 'RFC 9112 §8', '', 'end'),
  { ...invalid('nothing-reset', 'RFC 9112 §8', ''), afterwards: 'reset' },
  invalid('half-line-end', 'RFC 9112 §8', 'HTTP/1.1 20', 'end'),
  invalid('half-head-end', 'RFC 9112 §8', 'HTTP/1.1 200 OK\r\nContent-Le', 'end'),
  { ...invalid('half-head-reset', 'RFC 9112 §8', 'HTTP/1.1 200 OK\r\nContent-Le'), afterwards: 'reset' },
  cut('length-end', 'RFC 9112 §8', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello', 'end'),
  cut('length-reset', 'RFC 9112 §8', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello', 'reset'),
  cut('chunked-end', 'RFC 9112 §8', `${chunked}5\r\nhello\r\n`, 'end'),
  cut('chunked-end-in-chunk', 'RFC 9112 §8', `${chunked}a\r\nhello`, 'end'),
  cut('chunked-end-before-last-line', 'RFC 9112 §8', `${chunked}5\r\nhello\r\n0\r\n`, 'end'),
  cut('chunked-reset', 'RFC 9112 §8', `${chunked}5\r\nhello\r\n`, 'reset'),
  cut('until-close-reset', 'RFC 9112 §8', 'HTTP/1.1 200 OK\r\n\r\nhello', 'reset'),
]

/** The first chunk is good, so that the head has gone; the second is not. */
const badChunks: ResponseCase[] = [
  ['size-empty', '\r\n'],
  ['size-not-hex', 'x\r\n'],
  ['size-0x', '0x2\r\nok\r\n0\r\n\r\n'],
  ['size-minus', '-1\r\n'],
  ['size-leading-space', ' 2\r\nok\r\n0\r\n\r\n'],
  ['size-trailing-space', '2 \r\nok\r\n0\r\n\r\n'],
  ['size-2^64', '10000000000000002\r\nok\r\n0\r\n\r\n'],
  ['size-bare-lf', '2\nok\r\n0\r\n\r\n'],
  ['extension', '2;a=b\r\nok\r\n0\r\n\r\n'],
  ['data-no-crlf', '2\r\nok0\r\n\r\n'],
  ['data-bare-lf', '2\r\nok\n0\r\n\r\n'],
  ['data-too-long', '2\r\nokay\r\n0\r\n\r\n'],
  ['end-bare-lf', '0\n\n'],
  ['end-junk', '0\r\njunk\r\n\r\n'],
  ['trailer-fold', '0\r\nX-A: 1\r\n 2\r\n\r\n'],
  ['trailer-content-length', '0\r\nContent-Length: 2\r\n\r\n'],
].map(([name, text]) => cut(`chunk-${name}`, 'RFC 9112 §7.1', `${chunked}1\r\nx\r\n|${text}`, 'keep'))

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
    answer: `${answer}${bytes}`,
    afterwards: 'keep' as const,
    method: method as string,
    expect: { status: Number((answer as string).slice(9, 12)), reused: false },
  })),
)

export const responseCases: readonly ResponseCase[] = [
  ...statusLines,
  ...good,
  ...ambiguous,
  ...fields,
  ...limits,
  ...broken,
  ...badChunks,
  ...surplus,
]
