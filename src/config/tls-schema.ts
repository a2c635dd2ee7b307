import { z } from 'zod'
import { checkHost } from './addresses.ts'
import { checked, complain, lowerCaseHost } from './schema-parts.ts'

const pem = (what: string) =>
  z
    .string()
    .min(1)
    .meta({ description: `${what}: a PEM file, path relative to this file, or PEM text` })

const hosts = z.array(lowerCaseHost).min(1).max(1000)

const certificate = z
  .strictObject({
    cert: pem('The certificate, followed by those between it and the authority'),
    key: pem('Its private key, not encrypted'),
    hosts: hosts
      .optional()
      .meta({ description: 'Names it is shown for; those in the certificate unless set. *.example.com is one label' }),
  })
  .meta({ description: 'A certificate and its key' })

const checkCiphers = (text: string) =>
  /^[A-Za-z0-9+!@=:_-]+$/.test(text)
    ? null
    : { message: 'must be names of ciphers with colons between them', suggestion: null }

const acme = z
  .strictObject({
    directory: z
      .url({ protocol: /^https$/, error: 'must be an https URL' })
      .meta({ description: 'Address of the ACME directory; to use it is to agree to the terms of that service' }),
    email: z.email().optional().meta({ description: 'Who is told of problems with the certificate' }),
    hosts: hosts.meta({ description: 'Names the certificate is for; their port 80 must lead to the plain port' }),
    ca: pem('Authorities for the certificate of the ACME server itself; those of Node unless set').optional(),
  })
  .superRefine(({ hosts: names }, context) => {
    for (const [index, name] of names.entries())
      if (name.startsWith('*.'))
        complain(context, { message: 'HTTP-01 gives no certificates for wildcards', suggestion: null }, [
          'hosts',
          index,
        ])
  })
  .meta({ description: 'A certificate from an ACME server, by the challenge HTTP-01 (RFC 8555)' })

/** `settings.tls`: what the TLS listener shows and asks for. */
export const tlsSchema = z
  .strictObject({
    certificates: z.array(certificate).max(10_000).default([]).meta({
      description: 'The first is the default: it is shown to clients that ask for no name, or for an unknown one',
    }),
    acme: acme.optional(),
    minVersion: z
      .literal(['1.2', '1.3', 1.2, 1.3])
      .default('1.2')
      .transform(version => `TLSv${version}` as 'TLSv1.2' | 'TLSv1.3')
      .meta({ description: 'The oldest version that is spoken' }),
    ciphers: checked(checkCiphers, 'A list')
      .nullable()
      .default(null)
      .meta({ description: 'OpenSSL names with colons between them; what Node takes for secure unless set' }),
    unknownNames: z
      .enum(['default', 'refuse'])
      .default('default')
      .meta({ description: 'What clients get that ask for a name without a certificate' }),
    clientCertificates: z
      .strictObject({
        ca: pem('The authorities whose certificates are accepted'),
        mode: z.enum(['required', 'optional', 'off']).default('required').meta({
          description: 'Whether clients must show one; where it is optional, mtls-auth asks for it per route',
        }),
      })
      .optional()
      .meta({ description: 'Certificates of clients (mutual TLS)' }),
  })
  .meta({ description: 'The TLS listener (portico start --gateway-tls)' })

/** `tls` of an upstream: how https targets are called. */
export const upstreamTlsSchema = z
  .strictObject({
    ca: pem('The authorities that are trusted; those of Node unless set').optional(),
    cert: pem('The certificate the gateway shows, with its chain').optional(),
    key: pem('Its private key, not encrypted').optional(),
    serverName: checked(checkHost, 'Name that is asked for and checked; the host of the target unless set').optional(),
    verify: z.boolean().default(true).meta({ description: 'Whether the certificate of the target is checked' }),
  })
  .superRefine(({ cert, key }, context) => {
    if ((cert === undefined) !== (key === undefined))
      complain(context, { message: '"cert" and "key" go together', suggestion: null })
  })
  .meta({ description: 'How https targets are called' })

export type WrittenTls = z.output<typeof tlsSchema>
export type WrittenUpstreamTls = z.output<typeof upstreamTlsSchema>
