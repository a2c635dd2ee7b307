import assert from 'node:assert/strict'
import { connect } from 'node:http2'
import { test } from 'node:test'
import { messageFrame } from '#http/grpc/frames'
import { startGrpcOrigin } from '../grpc/grpc-origin.ts'
import { oneService, startPortico, within } from '../harness.ts'

const silenceMs = 700

test('a stream may be silent for longer than every limit on silence', async t => {
  const origin = await startGrpcOrigin()
  t.after(() => origin.stop())
  const portico = await startPortico({
    config: oneService(
      origin.url,
      {},
      { protocol: 'h2', timeouts: { response: '200ms' } },
      { timeouts: { idle: '200ms', drain: '2s' } },
    ),
  })
  t.after(() => portico.stop())
  const session = connect(`http://127.0.0.1:${portico.gatewayPort}`)
  t.after(() => session.destroy())
  const stream = session.request(
    { ':method': 'POST', ':path': '/pkg.Quiet/Do', 'content-type': 'application/grpc', te: 'trailers' },
    { endStream: false },
  )
  origin.answer = { body: [messageFrame(Buffer.from('late'))], trailers: { 'grpc-status': '0' } }
  const answer = new Promise<Record<string, unknown>>((resolve, reject) => {
    stream.on('trailers', resolve)
    stream.on('error', reject)
    stream.on('close', () => reject(new Error(`The stream ended with ${stream.rstCode}`)))
  })
  stream.resume()
  stream.write(messageFrame(Buffer.from('one')))
  // The silence is what is tested here.
  setTimeout(() => stream.end(messageFrame(Buffer.from('two'))), silenceMs)
  const trailers = await within(answer, () => 'the end of the call')
  assert.equal(trailers['grpc-status'], '0')
  assert.equal(origin.calls[0]?.body.length, 16)
})
