import { fileURLToPath } from 'node:url'
import { freePort, startOn, waitForPort } from './programs.ts'

const serverFile = fileURLToPath(new URL('grpc-answer.ts', import.meta.url))

/**
 * Starts a gRPC service. Not nginx, as everywhere else: it resets streams whose request it has not read, which nginx as
 * proxy takes for errors now and then.
 */
export const startGrpcOrigin = async (core: number): Promise<number> => {
  const port = await freePort()
  const child = startOn(core, [process.execPath, serverFile, String(port)])
  await waitForPort(port, child)
  return port
}
