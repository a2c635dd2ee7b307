import { X509Certificate } from 'node:crypto'
import type { Document } from '#config/document'

/** What `GET /api/status` shows of TLS: nothing that is secret. */
export type TlsSummary = {
  readonly certificates: readonly CertificateSummary[]
  readonly clientCertificates: 'required' | 'optional' | 'off'
}

export type CertificateSummary = {
  readonly hosts: readonly string[]
  readonly issuer: string
  /** ISO 8601. */
  readonly notAfter: string
  readonly fingerprint256: string
}

/** Describes a certificate by its PEM text. */
export const summaryOf = (cert: string, hosts: readonly string[]): CertificateSummary => {
  const { issuer, validTo, fingerprint256 } = new X509Certificate(cert)
  const notAfter = new Date(validTo).toISOString()
  return { hosts, issuer: issuer.replaceAll('\n', ', '), notAfter, fingerprint256 }
}

export const tlsSummary = (tls: Document['settings']['tls']): TlsSummary | null =>
  tls === null
    ? null
    : {
        certificates: tls.certificates.map(({ cert, hosts }) => summaryOf(cert, hosts)),
        clientCertificates: tls.clientCertificates?.mode ?? 'off',
      }
