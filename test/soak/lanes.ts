import { Agent, type IncomingMessage, type RequestOptions, request } from 'node:http'
import { connect as connectH2 } from 'node:http2'
import { connect } from 'node:net'
import { WebSocket } from 'ws'
import { get, head } from '../conformance/case-table.ts'

/** One kind of traffic: does one thing, and tells what was wrong with it, or null. Bounded in time by itself. */
export type Lane = {
  readonly name: string
  readonly count: number
  once(port: number, turn: number): Promise<string | null>
}

const patience = 15_000
const agent = new Agent({ keepAlive: true, maxSockets: 8 })

type Call = RequestOptions & { body?: Buffer; abortAfter?: number }

const call = (port: number, { body, abortAfter, ...options }: Call): Promise<number> =>
  new Promise((resolve, reject) => {
    let received = 0
    const sent = request({ host: '127.0.0.1', port, ...options }, (response: IncomingMessage) => {
      response.on('data', (chunk: Buffer) => {
        received += chunk.length
        if (abortAfter !== undefined && received >= abortAfter) response.destroy()
      })
      response.on('error', () => {})
      response.on('close', () => {
        if (response.complete || abortAfter !== undefined) resolve(response.statusCode ?? 0)
        else reject(new Error('cut'))
      })
    })
    sent.setTimeout(patience, () => sent.destroy(new Error('no answer')))
    sent.on('error', reject)
    sent.end(body)
  })

const expecting = async (status: number, work: Promise<number>): Promise<string | null> => {
  try {
    const got = await work
    return got === status ? null : `status ${got}`
  } catch (error) {
    return (error as Error).message
  }
}

const half = head('POST /up HTTP/1.1', 'Content-Length: 1000')

/** The moments at which a client leaves. */
const departures = [
  '',
  'GET /quick HTTP/1.1\r\nHost: a.t',
  get('/slow'),
  `${half}hello`,
  get('/quick'),
  get('/drip'),
  'junk\r\n\r\n',
]

const leave = (port: number, turn: number): Promise<null> =>
  new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.on('close', () => resolve(null))
    socket.setTimeout(patience, () => socket.destroy())
    socket.on('connect', () => {
      socket.write(departures[turn % departures.length] as string)
      setTimeout(() => (turn % 2 === 0 ? socket.destroy() : socket.resetAndDestroy()), turn % 20)
    })
  })

const webSocket = (port: number, turn: number): Promise<string | null> =>
  new Promise(resolve => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, { handshakeTimeout: patience })
    const timer = setTimeout(() => socket.terminate(), patience)
    let echoes = 0
    socket.on('open', () => socket.send('hello'))
    socket.on('message', () => {
      if (++echoes < 10) socket.send('again')
      else if (turn % 2 === 0) socket.close()
      else socket.terminate()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(echoes === 10 ? null : `${echoes} of 10 echoes`)
    })
  })

/** Ten streams on one HTTP/2 connection, some of them reset; then the connection closes, or breaks. */
const http2 = (port: number, turn: number): Promise<string | null> =>
  new Promise(resolve => {
    const session = connectH2(`http://127.0.0.1:${port}`)
    let failure: string | null = null
    let open = 10
    const timer = setTimeout(() => {
      failure = 'no answer'
      session.destroy()
    }, patience)
    const done = (): void => {
      if (--open === 0) turn % 2 === 0 ? session.close() : session.destroy()
    }
    session.on('error', error => {
      failure ??= error.message
    })
    session.on('close', () => {
      clearTimeout(timer)
      resolve(open > 0 ? (failure ?? 'the connection closed early') : failure)
    })
    for (let index = 0; index < 10; index++) {
      const stream = session.request({ ':path': index % 3 === 0 ? '/drip' : '/quick' })
      stream.on('response', headers => {
        if (headers[':status'] !== 200) failure ??= `status ${headers[':status']}`
        if (index % 3 === 0) stream.close(8)
      })
      stream.on('error', () => {})
      stream.on('close', done)
      stream.resume()
    }
  })

const megabyte = Buffer.alloc(1_000_000, 'y')

/** The mixture. Each lane runs `count` times at once; all of them pause a little between two turns. */
export const lanes: readonly Lane[] = [
  { name: 'keep-alive', count: 4, once: port => expecting(200, call(port, { path: '/quick', agent })) },
  { name: 'new connection', count: 2, once: port => expecting(200, call(port, { path: '/quick', agent: false })) },
  { name: 'client leaves', count: 4, once: leave },
  { name: 'upstream timeout', count: 4, once: port => expecting(504, call(port, { path: '/slow', agent })) },
  {
    name: 'upstream breaks',
    count: 1,
    once: async port =>
      (await expecting(200, call(port, { path: '/half', agent: false }))) === null ? 'not cut' : null,
  },
  { name: 'large answer', count: 1, once: port => expecting(200, call(port, { path: '/big', agent })) },
  {
    name: 'large answer left',
    count: 1,
    once: port => expecting(200, call(port, { path: '/big', agent: false, abortAfter: 200_000 })),
  },
  {
    name: 'large request',
    count: 1,
    once: port => expecting(200, call(port, { path: '/up', method: 'POST', agent, body: megabyte })),
  },
  {
    name: 'event stream left',
    count: 2,
    once: port => expecting(200, call(port, { path: '/drip', agent: false, abortAfter: 100 })),
  },
  { name: 'refused', count: 1, once: port => expecting(401, call(port, { path: '/keyed', agent })) },
  { name: 'WebSocket', count: 2, once: webSocket },
  { name: 'HTTP/2', count: 2, once: http2 },
]

/** Closes what the lanes keep open. */
export const closeLanes = (): void => agent.destroy()
