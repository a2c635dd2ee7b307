import { type GrpcOrigin, startGrpcOrigin } from '../grpc/grpc-origin.ts'
import { type ScriptedOrigin, scriptedOrigin } from '../harness.ts'
import type { Level } from './cases/case.ts'
import { grpcCases } from './cases/grpc.ts'
import { http2Cases } from './cases/http2.ts'
import { requestAreas } from './cases/index.ts'
import { responseCases } from './cases/responses.ts'
import { webSocketCases } from './cases/websocket.ts'
import type { Play } from './dispatch-origin.ts'
import { countingAnswer, judgeRequest } from './judge.ts'
import { playGrpc } from './judge-grpc.ts'
import { judgeHttp2 } from './judge-http2.ts'
import { judgeResponse, pathOf, playAnswer } from './judge-response.ts'
import { playSocket, playWebSocket, socketPathOf } from './judge-websocket.ts'
import type { Peer, RunningPeer } from './peers/peer.ts'

/** The origins behind a peer. */
export type Origins = { readonly origin: ScriptedOrigin; readonly grpc: GrpcOrigin }
/** What a case needs to be played. */
export type Place = Origins & { readonly peer: RunningPeer }

/** A case of any kind, as it is played at a peer. */
export type Item = {
  readonly area: string
  readonly id: string
  readonly section: string
  readonly level: Level
  /** False where the standard asks nothing of others. */
  readonly judged: boolean
  /** The reason why the peer fails, or null. */
  play(place: Place): Promise<string | null>
}

/** Every case with something to judge or not, in the order of the tables. */
export const items: readonly Item[] = [
  ...requestAreas.flatMap(([area, cases]) =>
    cases.map(entry => ({
      ...{ area, id: entry.id, section: entry.section, level: entry.level, judged: entry.allowed !== null },
      play: ({ peer, origin }: Place) => judgeRequest(peer.port, origin, entry),
    })),
  ),
  ...responseCases.map(entry => ({
    ...{ area: 'responses', id: `response-${entry.id}`, section: entry.section },
    ...{ level: entry.level, judged: entry.allowed !== null },
    play: ({ peer }: Place) => judgeResponse(peer.port, entry),
  })),
  ...http2Cases.map(entry => ({
    ...{ area: 'HTTP/2', id: entry.id, section: entry.section, level: entry.level, judged: entry.allowed !== null },
    play: async ({ peer, origin }: Place) =>
      peer.h2Port === null ? 'HTTP/2 is not spoken' : judgeHttp2(peer.h2Port, origin, entry),
  })),
  ...webSocketCases.map(entry => ({
    ...{ area: 'WebSocket', id: entry.id, section: entry.section, level: entry.level, judged: entry.judged },
    play: ({ peer, origin }: Place) => playWebSocket(peer.port, origin, entry),
  })),
  ...grpcCases.map(entry => ({
    ...{ area: 'gRPC', id: entry.id, section: entry.section, level: entry.level, judged: true },
    play: async ({ peer, grpc }: Place) =>
      peer.h2Port === null ? 'HTTP/2 is not spoken' : playGrpc(peer.h2Port, grpc, entry),
  })),
]

/** The origin of all cases: it plays the answer of a response case by its path, everything else is counted. */
export const suiteOrigin = (): Promise<ScriptedOrigin> => {
  const plays = new Map<string, Play>([
    ...responseCases.map(entry => [pathOf(entry), playAnswer(entry)] as const),
    ...webSocketCases.map(entry => [socketPathOf(entry), playSocket(entry)] as const),
  ])
  const started: Promise<ScriptedOrigin> = scriptedOrigin(async connection => {
    const origin = await started
    for (;;) {
      const request = await connection.readRequest(600_000)
      if (!request) return connection.end()
      const play = plays.get(request.target.split('?')[0] as string)
      if (play) await play(request, connection)
      else connection.send(countingAnswer(origin, request))
    }
  })
  return started
}

/** Starts the peer in front of the origins, gives the place to `work`, and stops all of them. */
export const withPeer = async <T>(peer: Peer, work: (place: Place) => Promise<T>): Promise<T> => {
  const origin = await suiteOrigin()
  const grpc = await startGrpcOrigin()
  let running: RunningPeer | null = null
  try {
    running = await peer.start(origin.port, Number(new URL(grpc.url).port))
    return await work({ peer: running, origin, grpc })
  } finally {
    await running?.stop()
    grpc.stop()
    origin.forget()
    await origin.stop()
  }
}
