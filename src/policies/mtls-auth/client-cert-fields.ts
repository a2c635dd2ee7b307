import type { ClientCertificate } from '#http/tls/peer-tls'

type Fields = { leaf: string; chain: string | null }

const remembered = new WeakMap<ClientCertificate, Fields>()

/** A byte sequence of structured fields (RFC 9651 §3.3.5). */
const bytes = (der: Buffer): string => `:${der.toString('base64')}:`

const fieldsOf = (certificate: ClientCertificate): Fields => {
  let fields = remembered.get(certificate)
  if (fields === undefined) {
    fields = { leaf: bytes(certificate.raw), chain: null }
    remembered.set(certificate, fields)
  }
  return fields
}

/** The value of Client-Cert (RFC 9440 §2.2). */
export const clientCert = (certificate: ClientCertificate): string => fieldsOf(certificate).leaf

/** The value of Client-Cert-Chain (RFC 9440 §2.3): the issuers in order; empty when none is known. */
export const clientCertChain = (certificate: ClientCertificate): string => {
  const fields = fieldsOf(certificate)
  fields.chain ??= certificate.chain.map(bytes).join(', ')
  return fields.chain
}
