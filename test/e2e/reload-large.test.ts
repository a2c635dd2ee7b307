import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerEach, ok, rawClient, scriptedOrigin, startPortico } from '../harness.ts'

const count = 5000

/** Routes of which each goes to its own path at the origin; the odd ones change with the revision. */
const config = (url: string, revision: number): object => ({
  version: 1,
  settings: { timeouts: { drain: '1s' }, calls: { keep: 0 } },
  services: [
    {
      name: 'many',
      upstream: { targets: [{ url }] },
      routes: Array.from({ length: count }, (_, index) => ({
        path: index % 2 === 0 ? `/group-${index % 7}/even-${index}` : `/group-${index % 7}/r${revision}-${index}`,
        ...(index % 3 === 0 && { stripPrefix: `/group-${index % 7}` }),
        ...(index % 11 === 0 && { policies: { 'body-limit': { max: `${index + 1}b` } } }),
      })),
    },
  ],
})

test('thousands of routes are exchanged while calls go on, and each is the right one after', async () => {
  const origin = await scriptedOrigin(answerEach(request => ok(request.target)))
  const portico = await startPortico({ config: config(origin.url, 0), workers: 2 })
  const client = await rawClient(portico.gatewayPort)
  const ask = async (path: string) => {
    client.send(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`)
    return client.readFinalResponse()
  }
  try {
    let reloading = true
    let calls = 0
    const calling = (async () => {
      for (let index = 0; reloading; index = (index + 26) % count) {
        const path = `/group-${index % 7}/even-${index}`
        const response = await ask(path)
        assert.equal(response.status, 200, path)
        assert.equal(response.body.toString(), index % 3 === 0 ? `/even-${index}` : path)
        calls++
      }
    })()
    for (const revision of [1, 2]) {
      const status = await portico.reload(config(origin.url, revision))
      assert.deepEqual([status.snapshot.routes, status.lastReloadError], [count, null])
    }
    reloading = false
    await calling
    assert.ok(calls > 10, `only ${calls} calls went on meanwhile`)
    for (let index = 1; index < count; index += 502) {
      const rest = `r2-${index}`
      const response = await ask(`/group-${index % 7}/${rest}/below`)
      assert.equal(response.body.toString(), index % 3 === 0 ? `/${rest}/below` : `/group-${index % 7}/${rest}/below`)
      assert.equal((await ask(`/group-${index % 7}/r1-${index}`)).status, 404)
    }
  } finally {
    client.destroy()
    await portico.stop()
    await origin.stop()
  }
})
