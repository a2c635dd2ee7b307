import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { within } from '../harness.ts'
import type { ServerEvent } from './server.ts'

type EventOf<Name extends ServerEvent['event']> = Extract<ServerEvent, { event: Name }>

/** A server with a real (tiny, random) model in a process of its own. */
export type ModelServer = {
  /** Where an OpenAI SDK would point its base URL. */
  readonly baseUrl: string
  /** The next event with this name that was not taken yet. */
  next<Name extends ServerEvent['event']>(name: Name): Promise<EventOf<Name>>
  stop(): Promise<void>
}

/** Starts the server and waits until the model is loaded. */
export const startModelServer = async (): Promise<ModelServer> => {
  const child = fork(fileURLToPath(new URL('./server.ts', import.meta.url)), [], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', chunk => {
      output = (output + chunk).slice(-100_000)
    })
  const events: ServerEvent[] = []
  const waiting = new Set<() => void>()
  let ended = false
  const wake = () => {
    for (const look of [...waiting]) look()
  }
  child.on('message', message => {
    events.push(message as ServerEvent)
    wake()
  })
  const exited = new Promise<void>(resolve =>
    child.once('exit', () => {
      ended = true
      wake()
      resolve()
    }),
  )

  const next: ModelServer['next'] = name => {
    let look = () => {}
    const found = new Promise<EventOf<typeof name>>((resolve, reject) => {
      look = () => {
        const index = events.findIndex(event => event.event === name)
        if (index >= 0) resolve(events.splice(index, 1)[0] as EventOf<typeof name>)
        else if (ended) reject(new Error(`the model server ended:\n${output}`))
      }
      waiting.add(look)
      look()
    })
    return within(found, () => `"${name}" from the model server:\n${output}`, 20_000).finally(() =>
      waiting.delete(look),
    )
  }

  const stop = async () => {
    child.kill('SIGKILL')
    await exited
  }

  const ready = await next('ready').catch(async error => {
    await stop()
    throw error
  })
  return { baseUrl: `http://127.0.0.1:${ready.port}/v1`, next, stop }
}
