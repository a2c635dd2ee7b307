import assert from 'node:assert/strict'
import { errorCodes as codes } from '#http/http2/error-codes'
import {
  block,
  data,
  frame,
  headers,
  number32,
  postRequest,
  request,
  resetStream,
  settings,
  windowUpdate,
} from '../../raw-http2.ts'
import { headerOf } from '../../read-message.ts'
import { breaks, type Http2Case, malformed, mayBeMalformed, passes, post, refused, resets } from './http2-case.ts'

const hello = (request: { body: Buffer }): void => assert.equal(request.body.toString(), 'hello')

const bodies: Http2Case[] = [
  passes(
    'body-unknown-length',
    'RFC 9113 §8.1 MUST',
    post([], data(1, 'hel'), data(1, 'lo', true)),
    r => {
      assert.equal(r.body.toString(), 'hello')
      assert.equal(headerOf(r, 'transfer-encoding'), 'chunked')
    },
    hello,
  ),
  passes(
    'body-length',
    'RFC 9113 §8.1.1 MUST',
    post([['content-length', '5']], data(1, 'hello', true)),
    r => {
      assert.equal(r.body.toString(), 'hello')
      assert.equal(headerOf(r, 'content-length'), '5')
      assert.equal(headerOf(r, 'transfer-encoding'), undefined)
    },
    hello,
  ),
  passes('body-padded', 'RFC 9113 §6.1 MUST', post([['content-length', '5']], frame(0, 9, 1, `\x03hello\0\0\0`)), r =>
    assert.equal(r.body.toString(), 'hello'),
  ),
  passes('body-empty-data', 'RFC 9113 §6.1 MUST', post([['content-length', '0']], data(1, '', true)), r =>
    assert.equal(r.body.length, 0),
  ),
  passes(
    'body-then-trailers',
    'RFC 9113 §8.1 MUST',
    post([], data(1, 'hello'), headers(1, [['x-sum', '9']], true)),
    r => assert.equal(r.body.toString(), 'hello'),
  ),
  resets(
    'length-too-short',
    'RFC 9113 §8.1.1 MUST',
    post([['content-length', '6']], data(1, 'hello', true)),
    codes.protocolError,
  ),
  resets(
    'length-too-long',
    'RFC 9113 §8.1.1 MUST',
    post([['content-length', '4']], data(1, 'hello', true)),
    codes.protocolError,
  ),
  resets(
    'length-then-trailers',
    'RFC 9113 §8.1.1 MUST',
    post([['content-length', '6']], data(1, 'hello'), headers(1, [['x', '1']], true)),
    codes.protocolError,
  ),
  {
    ...malformed('length-without-body', 'RFC 9113 §8.1.1 MUST', postRequest(['content-length', '5'])),
  },
  mayBeMalformed(
    'length-repeated',
    'RFC 9110 §8.6 MUST',
    postRequest(['content-length', '0'], ['content-length', '0']),
  ),
  mayBeMalformed('length-list', 'RFC 9110 §8.6 MUST', postRequest(['content-length', '0, 0'])),
  malformed('length-signed', 'RFC 9110 §8.6 MUST', postRequest(['content-length', '+0'])),
  malformed('length-huge', 'RFC 9110 §8.6 MUST', postRequest(['content-length', '18446744073709551616'])),
  resets(
    'trailers-pseudo',
    'RFC 9113 §8.1 MUST',
    post([], data(1, 'a'), headers(1, [[':path', '/y']], true)),
    codes.protocolError,
  ),
  resets(
    'trailers-framing',
    'RFC 9110 §6.5.1 engine',
    post([], data(1, 'a'), headers(1, [['content-length', '1']], true)),
    codes.protocolError,
  ),
  resets(
    'trailers-connection',
    'RFC 9113 §8.2.2 engine',
    post([], data(1, 'a'), headers(1, [['transfer-encoding', 'chunked']], true)),
    codes.protocolError,
  ),
  resets(
    'trailers-not-last',
    'RFC 9113 §8.1 MUST',
    post([], data(1, 'a'), headers(1, [['x', '1']], false)),
    codes.protocolError,
  ),
]

const framing: Http2Case[] = [
  breaks('headers-even-stream', 'RFC 9113 §5.1.1 MUST', [headers(2, request(), true)], codes.protocolError),
  breaks(
    'headers-smaller-stream',
    'RFC 9113 §5.1.1 MUST',
    [headers(5, request(), true), headers(3, request(), true)],
    [codes.protocolError, codes.streamClosed],
  ),
  breaks('headers-stream-0', 'RFC 9113 §6.2 MUST', [headers(0, request(), true)], codes.protocolError),
  breaks('data-stream-0', 'RFC 9113 §6.1 MUST', [data(0, 'x')], codes.protocolError),
  breaks('data-idle', 'RFC 9113 §5.1 MUST', [data(1, 'x')], codes.protocolError),
  breaks('data-padding', 'RFC 9113 §6.1 MUST', post([], frame(0, 8, 1, '\x05abc')), codes.protocolError),
  breaks('reset-idle', 'RFC 9113 §6.4 MUST', [resetStream(1, 8)], codes.protocolError),
  breaks('reset-size', 'RFC 9113 §6.4 MUST', post([], frame(3, 0, 1, 'abc')), codes.frameSizeError),
  breaks('window-idle', 'RFC 9113 §5.1 MUST', [windowUpdate(1, 1)], codes.protocolError),
  breaks('window-zero', 'RFC 9113 §6.9 MUST', [windowUpdate(0, 0)], codes.protocolError),
  breaks('window-overflow', 'RFC 9113 §6.9.1 MUST', [windowUpdate(0, 2_147_483_647)], codes.flowControlError),
  resets(
    'window-stream-overflow',
    'RFC 9113 §6.9.1 MUST',
    post([], windowUpdate(1, 2_147_483_647)),
    codes.flowControlError,
  ),
  resets('window-stream-zero', 'RFC 9113 §6.9 MUST', post([], windowUpdate(1, 0)), codes.protocolError),
  breaks('settings-size', 'RFC 9113 §6.5 MUST', [frame(4, 0, 0, 'abc')], codes.frameSizeError),
  breaks('settings-stream', 'RFC 9113 §6.5 MUST', [frame(4, 0, 1)], codes.protocolError),
  breaks('settings-ack-payload', 'RFC 9113 §6.5 MUST', [frame(4, 1, 0, Buffer.alloc(6))], codes.frameSizeError),
  breaks('settings-push', 'RFC 9113 §6.5.2 MUST', [settings([2, 2])], codes.protocolError),
  breaks('settings-window', 'RFC 9113 §6.5.2 MUST', [settings([4, 0x8000_0000])], codes.flowControlError),
  breaks('settings-frame-size', 'RFC 9113 §6.5.2 MUST', [settings([5, 100])], codes.protocolError),
  breaks('ping-size', 'RFC 9113 §6.7 MUST', [frame(6, 0, 0, 'abc')], codes.frameSizeError),
  breaks('ping-stream', 'RFC 9113 §6.7 MUST', [frame(6, 0, 1, Buffer.alloc(8))], codes.protocolError),
  breaks('push-promise', 'RFC 9113 §8.4 MUST', [frame(5, 4, 1, number32(2))], codes.protocolError),
  breaks('continuation-alone', 'RFC 9113 §6.10 MUST', [frame(9, 4, 1, block(request()))], codes.protocolError),
  breaks(
    'block-interrupted',
    'RFC 9113 §6.10 MUST',
    [frame(1, 1, 1, block(request())), frame(6, 0, 0, Buffer.alloc(8))],
    codes.protocolError,
  ),
  breaks(
    'block-other-stream',
    'RFC 9113 §6.10 MUST',
    [frame(1, 1, 1, block(request())), frame(9, 4, 3)],
    codes.protocolError,
  ),
  breaks('block-garbage', 'RFC 9113 §4.3 MUST', [frame(1, 5, 1, '\xff\xff\xff\xff\xff\xff')], codes.compressionError),
  breaks(
    // Others may allow larger frames; this one is above what we announce.
    'frame-large',
    'RFC 9113 §4.2 engine',
    [Buffer.concat([number32(0x0040_0100), Buffer.alloc(5)])],
    codes.frameSizeError,
  ),
  passes('block-split', 'RFC 9113 §6.10 MUST', [
    frame(1, 1, 1, block(request().slice(0, 2))),
    frame(9, 0, 1),
    frame(9, 4, 1, block(request().slice(2))),
  ]),
  passes('frame-unknown', 'RFC 9113 §5.5 MUST', [frame(0xbe, 0xff, 0, 'hello'), headers(1, request(), true)]),
  passes('settings-unknown', 'RFC 9113 §6.5.2 MUST', [settings([0x99, 7]), headers(1, request(), true)]),
  passes('priority-ignored', 'RFC 9113 §5.3 MUST', [
    frame(2, 0, 1, Buffer.from([0, 0, 0, 3, 9])),
    headers(1, request(), true),
  ]),
]

/** What costs more to serve than to send ends the connection (RFC 9113 §10.5). */
const floods: Http2Case[] = [
  breaks(
    'flood-reset',
    'RFC 9113 §10.5 engine',
    Array.from({ length: 600 }, (_, i) => [headers(2 * i + 1, postRequest(), false), resetStream(2 * i + 1, 8)]).flat(),
    codes.enhanceYourCalm,
  ),
  breaks(
    'flood-broken-streams',
    'RFC 9113 §10.5 engine',
    Array.from({ length: 600 }, (_, i) => [
      headers(2 * i + 1, postRequest(), false),
      windowUpdate(2 * i + 1, 0),
    ]).flat(),
    codes.enhanceYourCalm,
  ),
  breaks(
    'flood-continuation',
    'RFC 9113 §10.5.1 engine',
    [frame(1, 1, 1, block(request())), ...Array.from({ length: 100 }, () => frame(9, 0, 1, 'x'))],
    codes.enhanceYourCalm,
  ),
  breaks(
    'flood-continuation-empty',
    'RFC 9113 §10.5 engine',
    [frame(1, 1, 1, block(request())), ...Array.from({ length: 100 }, () => frame(9, 0, 1))],
    codes.enhanceYourCalm,
  ),
  breaks(
    'flood-block-bytes',
    'RFC 9113 §10.5.1 engine',
    [frame(1, 1, 1, block(request())), ...Array.from({ length: 4 }, () => frame(9, 0, 1, Buffer.alloc(16_384)))],
    codes.enhanceYourCalm,
  ),
  breaks(
    'flood-settings',
    'RFC 9113 §10.5 engine',
    Array.from({ length: 1000 }, () => settings()),
    codes.enhanceYourCalm,
  ),
  breaks(
    'flood-ping',
    'RFC 9113 §10.5 engine',
    Array.from({ length: 20_000 }, () => frame(6, 0, 0, Buffer.alloc(8))),
    codes.enhanceYourCalm,
  ),
  breaks(
    'flood-empty-data',
    'RFC 9113 §10.5 engine',
    [...post([]), ...Array.from({ length: 5000 }, () => data(1, ''))],
    codes.enhanceYourCalm,
  ),
  breaks(
    'flood-window',
    'RFC 9113 §10.5 engine',
    Array.from({ length: 60_000 }, () => windowUpdate(0, 1)),
    codes.enhanceYourCalm,
  ),
  breaks(
    'flood-priority',
    'RFC 9113 §10.5 engine',
    Array.from({ length: 60_000 }, () => frame(2, 0, 1, Buffer.from([0, 0, 0, 3, 9]))),
    codes.enhanceYourCalm,
  ),
  // One entry of the table, and one byte for each time it is meant: 4 kB become 16 MB unless somebody counts.
  refused(
    'header-bomb',
    'RFC 7541 §7 engine',
    [
      frame(
        1,
        5,
        1,
        Buffer.concat([
          block(request()),
          Buffer.from('400161', 'hex'),
          Buffer.from([0x7f, 0x81, 0x1e]),
          Buffer.alloc(3968, 0x79),
          Buffer.alloc(4000, 0xbe),
        ]),
      ),
    ],
    431,
  ),
]

export const http2FrameCases: readonly Http2Case[] = [...bodies, ...framing, ...floods]
