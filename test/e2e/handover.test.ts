import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { get, head } from '../conformance/case-table.ts'
import {
  answerEach,
  eventually,
  headerOf,
  ok,
  oneService,
  type Portico,
  rawClient,
  scriptedOrigin,
  startPortico,
  within,
} from '../harness.ts'

const request = head('GET /fresh HTTP/1.1', 'Connection: close')

/** One call on a connection of its own; throws when it does not get its answer. */
const freshCall = (port: number): Promise<void> =>
  within(
    new Promise<void>((resolve, reject) => {
      let received = ''
      const socket = connect(port, '127.0.0.1', () => socket.write(request))
      socket.on('data', chunk => (received += chunk))
      socket.on('error', reject)
      socket.on('end', () => socket.end())
      socket.on('close', () =>
        received.startsWith('HTTP/1.1 200 ') && received.endsWith('/fresh')
          ? resolve()
          : reject(new Error(`the answer was ${JSON.stringify(received)}`)),
      )
    }),
    () => 'an answer',
    10_000,
  )

test('a second process takes over the port, and the first one drains: no call is lost', async () => {
  const origin = await scriptedOrigin(answerEach(({ target }) => ok(target)))
  const config = oneService(origin.url, {}, {}, { timeouts: { drain: '5s', drainDelay: '200ms' } })
  const first = await startPortico({ config, workers: 2 })
  const { gatewayPort, consolePort, dataFolder } = first
  const all: Portico[] = [first]
  const failures: string[] = []
  let running = true
  let calls = 0
  const fresh = async (): Promise<void> => {
    while (running) {
      await freshCall(gatewayPort).catch(error => failures.push(`fresh: ${error.message}`))
      calls++
    }
  }
  const kept = async (): Promise<void> => {
    while (running) {
      const client = await rawClient(gatewayPort)
      try {
        for (let open = true; open && running; calls++) {
          client.send(get('/kept'))
          open = headerOf(await client.readFinalResponse(), 'connection') !== 'close'
        }
      } catch (error) {
        failures.push(`kept: ${(error as Error).message}`)
      }
      client.destroy()
    }
  }
  const work = Promise.all([...Array.from({ length: 4 }, fresh), ...Array.from({ length: 2 }, kept)])
  try {
    for (let handover = 0; handover < 2; handover++) {
      const old = all.at(-1) as Portico
      const flags = [`--gateway=127.0.0.1:${gatewayPort}`, `--console=127.0.0.1:${consolePort}`, `--data=${dataFolder}`]
      all.push(await startPortico({ config, workers: 2, args: [...flags, '--takeover'] }))
      const before = calls
      await eventually(async () => (calls > before + 100 ? true : null), 'calls while both serve')
      old.signal('SIGTERM')
      assert.deepEqual(await within(old.exited, () => 'the end of the old process', 15_000), { code: 0, signal: null })
      // The console is the new one's now, and its call log goes on in the same file.
      await eventually(async () => {
        const answer = await old.console('/api/status').catch(() => null)
        return answer?.status === 200 ? true : null
      }, 'the console of the new process')
    }
    running = false
    await work
    assert.deepEqual(failures, [], `${failures.length} of ${calls} calls failed`)
    assert.ok(calls > 500, `only ${calls} calls`)
    const { body } = await first.console('/api/calls?limit=1')
    assert.equal((body as { items: unknown[] }).items.length, 1)
  } finally {
    running = false
    await work
    for (const portico of all.reverse()) await portico.stop()
    await origin.stop()
  }
})

test('without the flag a taken port is a clear error', async () => {
  const origin = await scriptedOrigin(answerEach(({ target }) => ok(target)))
  const portico = await startPortico({ config: oneService(origin.url) })
  try {
    await assert.rejects(
      startPortico({ config: oneService(origin.url), args: [`--gateway=127.0.0.1:${portico.gatewayPort}`] }),
      /another program listens there already/,
    )
  } finally {
    await portico.stop()
    await origin.stop()
  }
})
