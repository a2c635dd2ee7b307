import { createServer } from 'node:net'
import { UserError } from '#base/errors'
import type { HttpServer } from '#http/server'

export type ListenAddress = { host: string; port: number }

/** `HOST:PORT`, `[IPv6]:PORT` or `:PORT` (loopback). Throws a UserError that names the flag. */
export const parseListenAddress = (text: string, flag: string): ListenAddress => {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535)
    throw new UserError(`${flag} takes HOST:PORT, for example 127.0.0.1:8080, not ${JSON.stringify(text)}`, 2)
  return { host: match[1] ?? (match[2] === '' ? '127.0.0.1' : (match[2] as string)), port }
}

export const formatAddress = ({ host, port }: ListenAddress): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

const reasons: Record<string, string> = {
  EADDRINUSE: 'another program listens there already',
  EACCES: 'this user may not listen on that port',
  EADDRNOTAVAIL: 'this machine does not have that address',
  ENOTFOUND: 'that host name is not known',
  EAI_AGAIN: 'that host name cannot be looked up',
}

/** One clear line for a listener that cannot be had. */
export const listenProblem = (what: string, address: ListenAddress, error: NodeJS.ErrnoException): UserError =>
  new UserError(
    `Cannot listen on ${formatAddress(address)} for the ${what}: ${reasons[error.code ?? ''] ?? error.message}. Choose another with --${what} HOST:PORT`,
    1,
  )

/**
 * Fails when somebody else listens on the address. The workers share their port, and so could a second program that
 * shares it too: both would then serve at random. Listening once without sharing finds out.
 */
export const checkFree = (address: ListenAddress, what: string): Promise<void> =>
  new Promise((resolve, reject) => {
    if (address.port === 0) {
      resolve()
      return
    }
    const probe = createServer()
    probe.once('error', error => reject(listenProblem(what, address, error)))
    probe.listen({ host: address.host, port: address.port, exclusive: true }, () => probe.close(() => resolve()))
  })

const retryMs = 100

/**
 * Listens at once, or, when somebody else has the address, as soon as that one lets go of it; does not wait for that.
 * Gives up when `over` says so. Resolves with the port.
 */
export const listenWhenFree = async (
  server: Pick<HttpServer, 'listen'>,
  address: ListenAddress,
  over: () => boolean,
): Promise<number> => {
  const again = (): void => {
    if (!over()) server.listen(address).catch(() => setTimeout(again, retryMs))
  }
  return server.listen(address).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error
    setTimeout(again, retryMs)
    return address.port
  })
}
