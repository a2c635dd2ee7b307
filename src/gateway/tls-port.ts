import type { Document } from '#config/document'
import type { ServerExchange } from '#http/message'
import type { HttpServer } from '#http/server'
import { createTlsListener, type TlsListener } from '#http/tls/listener'
import type { ServerCertificate, TlsServerSettings } from '#http/tls/server-contexts'

/** What all workers have in common for TLS beside the configuration: made by the main thread, kept in memory. */
export type TlsSecrets = {
  /** 48 bytes: a session that began at one worker goes on at another. */
  readonly ticketKeys: Uint8Array
  /** Certificates that did not come with the configuration (ACME). */
  readonly certificates: readonly ServerCertificate[]
  /** Answers to http-01 challenges by their token (RFC 8555 §8.3). */
  readonly challenges: Readonly<Record<string, string>>
}

const challengePath = '/.well-known/acme-challenge/'

/** The TLS listener of one worker. */
export type TlsPort = {
  listen: TlsListener['listen']
  /** The rules of another configuration; throws, and keeps the old ones, when they are not usable. */
  serve(tls: Document['settings']['tls']): void
  renew(secrets: TlsSecrets): void
  /** Whether there are challenges to be answered at all. */
  readonly challenged: boolean
  /** Answers what asks for a challenge; false for everything else. */
  answers(exchange: ServerExchange): boolean
  readonly failures: TlsListener['failures']
}

const settingsOf = (tls: Document['settings']['tls'], secrets: TlsSecrets): TlsServerSettings => ({
  certificates: [...(tls?.certificates ?? []), ...secrets.certificates],
  minVersion: tls?.minVersion ?? 'TLSv1.2',
  ciphers: tls?.ciphers ?? null,
  unknownNames: tls?.unknownNames ?? 'default',
  clientCertificates: tls?.clientCertificates ?? null,
  ticketKeys: Buffer.from(secrets.ticketKeys),
})

export const createTlsPort = (server: HttpServer, first: Document['settings']['tls'], start: TlsSecrets): TlsPort => {
  let tls = first
  let secrets = start
  const listener = createTlsListener(server, settingsOf(tls, secrets))
  return {
    failures: listener.failures,
    listen: listener.listen,
    serve: next => {
      listener.update(settingsOf(next, secrets))
      tls = next
    },
    get challenged() {
      return Object.keys(secrets.challenges).length > 0
    },
    answers: exchange => {
      const { target, method } = exchange
      const token = target.slice(challengePath.length)
      if (!target.startsWith(challengePath) || (method !== 'GET' && method !== 'HEAD')) return false
      if (!Object.hasOwn(secrets.challenges, token)) return false
      exchange.respond(200, ['content-type', 'application/octet-stream'], secrets.challenges[token] as string)
      return true
    },
    renew: next => {
      listener.update(settingsOf(tls, next))
      secrets = next
    },
  }
}
