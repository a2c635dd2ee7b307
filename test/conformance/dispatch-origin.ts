import { type OriginConnection, ok, type RequestMessage, type ScriptedOrigin, scriptedOrigin } from '../harness.ts'

/** What the origin does with one request; returning lets it wait for the next one on the connection. */
export type Play = (request: RequestMessage, connection: OriginConnection) => unknown

/** An origin that looks up what to do by the path of the request; other paths get 200 with the target as body. */
export const dispatchOrigin = (plays: Readonly<Record<string, Play>>): Promise<ScriptedOrigin> =>
  scriptedOrigin(async connection => {
    for (;;) {
      const request = await connection.readRequest(600_000)
      if (!request) return connection.end()
      const play = plays[request.target.split('?')[0] as string]
      if (play) await play(request, connection)
      else connection.send(ok(request.target))
    }
  })
