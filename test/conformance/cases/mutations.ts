import { get, mayRefuse, passes, post, type RequestCase, type Source } from './case.ts'

/**
 * The ways in which a Transfer-Encoding can be hidden from one reader and seen by another. Every message has a
 * Content-Length too, so it is refused, or both readers must end the body at the same place.
 */
const five = '5\r\nhello\r\n0\r\n\r\n'

const oddCharacters: readonly (readonly [name: string, character: string])[] = [
  ['nul', '\x00'],
  ['backspace', '\x08'],
  ['vertical-tab', '\x0b'],
  ['form-feed', '\x0c'],
  ['escape', '\x1b'],
  ['del', '\x7f'],
  ['nel', '\x85'],
  ['nbsp', '\xa0'],
  ['latin1', '\xff'],
]

const hidden = (id: string, line: string, source: Source = 'RFC 9112 §6.3 MUST'): RequestCase =>
  mayRefuse(`hidden-${id}`, source, post(['Content-Length: 15', line], five))

const placed: RequestCase[] = oddCharacters.flatMap(([name, character]) => [
  hidden(`before-name-${name}`, `${character}Transfer-Encoding: chunked`),
  hidden(`after-name-${name}`, `Transfer-Encoding${character}: chunked`),
  hidden(`in-name-${name}`, `Transfer${character}-Encoding: chunked`),
  hidden(`before-value-${name}`, `Transfer-Encoding:${character}chunked`),
  hidden(`after-value-${name}`, `Transfer-Encoding: chunked${character}`),
])

const shaped: RequestCase[] = [
  hidden('space-before-name', ' Transfer-Encoding: chunked'),
  hidden('tab-before-name', '\tTransfer-Encoding: chunked'),
  hidden('space-after-name', 'Transfer-Encoding : chunked', 'RFC 9112 §5.1 MUST'),
  hidden('tab-after-name', 'Transfer-Encoding\t: chunked', 'RFC 9112 §5.1 MUST'),
  hidden('two-colons', 'Transfer-Encoding:: chunked'),
  hidden('colon-before-name', ':Transfer-Encoding: chunked'),
  hidden('space-in-name', 'Transfer Encoding: chunked'),
  hidden('bare-lf-before', 'X-A: 1\nTransfer-Encoding: chunked', 'RFC 9112 §2.2 MUST'),
  hidden('bare-cr-before', 'X-A: 1\rTransfer-Encoding: chunked', 'RFC 9112 §2.2 MUST'),
  hidden('lf-cr-before', 'X-A: 1\n\rTransfer-Encoding: chunked', 'RFC 9112 §2.2 MUST'),
  hidden('cr-cr-lf-before', 'X-A: 1\r\r\nTransfer-Encoding: chunked', 'RFC 9112 §2.2 MUST'),
  hidden('folded-value', 'Transfer-Encoding:\r\n chunked', 'RFC 9112 §5.2 MUST'),
  hidden('folded-into-other', 'X-A: 1\r\n Transfer-Encoding: chunked', 'RFC 9112 §5.2 MUST'),
  hidden('comma-before-value', 'Transfer-Encoding: ,chunked'),
  hidden('semicolon-after-value', 'Transfer-Encoding: chunked;'),
  hidden('list-with-junk', 'Transfer-Encoding: junk, chunked'),
  hidden('list-junk-last', 'Transfer-Encoding: chunked, junk'),
  hidden('lines-with-junk', 'Transfer-Encoding: junk\r\nTransfer-Encoding: chunked'),
  hidden('lines-junk-last', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: junk'),
  hidden('quoted-and-plain', 'Transfer-Encoding: "chunked", chunked'),
  hidden('upper-case-name', 'TRANSFER-ENCODING: chunked'),
  hidden('dotted-value', 'Transfer-Encoding: chunked.'),
]

/** Fields that look like framing and are none (CGI names, near misses): they must not change where the body ends. */
const lookalikes: RequestCase[] = [
  ['underscore-coding', 'Transfer_Encoding: chunked'],
  ['underscore-length', 'Content_Length: 40'],
  ['dotted-coding', 'Transfer.Encoding: chunked'],
  ['prefixed-coding', 'X-Transfer-Encoding: chunked'],
  ['suffixed-length', 'Content-Length2: 40'],
  ['shortened-length', 'Content-Lengt: 40'],
  ['te', 'TE: chunked'],
  ['content-encoding', 'Content-Encoding: chunked'],
  ['trailer', 'Trailer: Content-Length'],
].map(([id, line]) =>
  passes(
    `lookalike-${id}`,
    'RFC 9112 §6.3 MUST',
    get('/x', line as string),
    request => {
      if (request.body.length > 0) throw new Error('a body was made up')
    },
    { verdict: 'either' },
  ),
)

export const mutationCases: readonly RequestCase[] = [...placed, ...shaped, ...lookalikes]
