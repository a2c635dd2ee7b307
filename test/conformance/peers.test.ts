import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { endAll, isInstalled } from '../../bench/programs.ts'
import { caddy } from './peers/caddy.ts'
import { haproxy } from './peers/haproxy.ts'
import { nginx } from './peers/nginx.ts'
import { items, withPeer } from './suite.ts'

after(endAll)

/** What every proxy can do, so that a failure here is one of the suite: its peer, its origin or its judge. */
const easy = [
  ...['line-plain', 'length-plain', 'coding-chunked', 'pipeline-three', 'close-then-request', 'response-chunked'],
  ...['h2-plain', 'ws-text', 'grpc-status-in-trailers'],
]

for (const peer of [nginx, haproxy, caddy]) {
  const skip = isInstalled(peer.name) ? false : `${peer.name} is not installed`
  test(`the cases can be played at ${peer.name}`, { skip }, () =>
    withPeer(peer, async place => {
      for (const item of items.filter(({ id }) => easy.includes(id)))
        assert.equal(await item.play(place), null, item.id)
      // And one that all of these versions fail.
      const via = items.find(({ id }) => id === 'via-added')
      assert.ok((await via?.play(place)) !== null)
      assert.match(peer.version(), /^v?\d+\./)
    }),
  )
}
