import { z } from 'zod'
import { GatewayError } from '#base/errors'
import type { Call } from '#gateway/call'
import { type Consumer, definePolicy } from '#gateway/contract'
import { setHeader } from '#http/headers'
import type { ClientCertificate } from '#http/tls/peer-tls'
import { clientCert, clientCertChain } from './client-cert-fields.ts'

const identities = ['common-name', 'dns', 'uri', 'email', 'fingerprint', 'none'] as const

const schema = z.strictObject({
  by: z
    .enum(identities)
    .default('common-name')
    .meta({
      description:
        'What of the certificate says who is calling: the CN of its subject, a subject alternative name, or its SHA-256 ' +
        'fingerprint; `none` lets every verified certificate pass without a consumer.',
    }),
  consumers: z.record(z.string().min(1), z.string().min(1)).optional().meta({
    description: 'Names of consumers by what stands in the certificate; unless set, both are the same.',
  }),
  optional: z.boolean().default(false).meta({
    description: 'Let calls without a certificate pass without a consumer; one of a stranger is refused all the same.',
  }),
  forward: z.enum(['off', 'certificate', 'chain']).default('off').meta({
    description: 'What the service gets in `Client-Cert` and `Client-Cert-Chain` (RFC 9440).',
  }),
})

type By = z.output<typeof schema>['by']

const missing = (): GatewayError =>
  new GatewayError('client-certificate-missing', { detail: 'This call needs a client certificate (TLS).' })

const refused = (detail: string): GatewayError => new GatewayError('client-certificate-refused', { detail })

/** Fingerprints are written with colons and in either case. */
const normalised = (by: By, text: string): string =>
  by === 'fingerprint' ? text.replaceAll(':', '').toLowerCase() : by === 'dns' ? text.toLowerCase() : text

const valuesOf = (certificate: ClientCertificate, by: By): readonly string[] => {
  switch (by) {
    case 'common-name':
      return certificate.commonName === '' ? [] : [certificate.commonName]
    case 'fingerprint':
      return [certificate.fingerprint256]
    case 'none':
      return []
    default:
      return certificate.san[by]
  }
}

export const mtlsAuth = definePolicy({
  name: 'mtls-auth',
  phase: 'authenticate',
  summary: 'Lets only callers with a verified client certificate pass and finds out which consumer is calling.',
  schema,
  create({ by, consumers: names, optional, forward }, context) {
    const indexOf = (consumers: readonly Consumer[]): ReadonlyMap<string, Consumer> => {
      const byName = new Map(consumers.map(consumer => [consumer.name, consumer]))
      if (names === undefined) return byName
      const index = new Map<string, Consumer>()
      for (const [value, name] of Object.entries(names)) {
        const consumer = byName.get(name)
        if (consumer !== undefined) index.set(normalised(by, value), consumer)
      }
      return index
    }
    const unknown = Object.values(names ?? {}).find(name => context.consumers.every(consumer => consumer.name !== name))
    if (unknown !== undefined) throw new Error(`mtls-auth names the consumer ${unknown}, which there is not`)
    const index = indexOf(context.consumers)

    const find = (certificate: ClientCertificate, among: ReadonlyMap<string, Consumer>): Consumer | null => {
      for (const value of valuesOf(certificate, by)) {
        const consumer = among.get(normalised(by, value))
        if (consumer !== undefined) return consumer
      }
      return null
    }
    // A connection brings the same certificate with every call.
    const remembered = new WeakMap<ClientCertificate, Consumer>()
    const consumerOf = (certificate: ClientCertificate): Consumer => {
      const known = remembered.get(certificate)
      if (known !== undefined) return known
      const consumer = find(certificate, index)
      if (consumer === null) throw refused('The client certificate belongs to no known consumer.')
      remembered.set(certificate, consumer)
      return consumer
    }
    const certificateOf = (call: Call): ClientCertificate | null => {
      const certificate = call.exchange.peer.tls?.clientCertificate ?? null
      // It was good when the session began; connections and resumed sessions may outlive it.
      if (certificate !== null && certificate.notAfter < call.startedAt)
        throw refused('The client certificate has expired.')
      return certificate
    }

    return {
      request(call, next) {
        const certificate = certificateOf(call)
        if (certificate === null) {
          if (!optional) throw missing()
          return next(call)
        }
        if (by !== 'none') call.consumer = consumerOf(certificate)
        if (forward !== 'off') {
          setHeader(call.headers, 'client-cert', clientCert(certificate))
          const chain = forward === 'chain' ? clientCertChain(certificate) : ''
          if (chain !== '') setHeader(call.headers, 'client-cert-chain', chain)
        }
        return next(call)
      },
      recheck(call, consumers) {
        const certificate = call.exchange.peer.tls?.clientCertificate ?? null
        if (certificate === null) return optional ? null : missing()
        if (by === 'none') return null
        const owner = find(certificate, indexOf(consumers))
        return owner?.name === call.consumer?.name ? null : refused('The client certificate is no longer accepted.')
      },
    }
  },
})
