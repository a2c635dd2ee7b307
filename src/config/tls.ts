import type { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { Path } from './errors.ts'
import { quote } from './errors.ts'
import type { PemReader } from './pem.ts'
import type { Problems } from './problems.ts'
import type { WrittenTls, WrittenUpstreamTls } from './tls-schema.ts'

/** `settings.tls`, with the contents of its files. */
export type TlsDocument = {
  /** PEM; the first is the default. */
  readonly certificates: readonly { readonly cert: string; readonly key: string; readonly hosts: readonly string[] }[]
  readonly acme: AcmeDocument | null
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  readonly ciphers: string | null
  readonly unknownNames: 'default' | 'refuse'
  readonly clientCertificates: { readonly ca: string; readonly mode: 'required' | 'optional' } | null
}

/** `settings.tls.acme`. */
export type AcmeDocument = {
  readonly directory: string
  readonly email: string | null
  readonly hosts: readonly string[]
  readonly ca: string | null
}

/** `tls` of an upstream, with the contents of its files. */
export type UpstreamTlsDocument = {
  readonly ca: string | null
  readonly cert: string | null
  readonly key: string | null
  readonly serverName: string | null
  readonly verify: boolean
}

/** The DNS names of a certificate (RFC 6125 §6.4.4: the common name counts only where there are none). */
const namesOf = (certificate: X509Certificate): string[] => {
  const names = (certificate.subjectAltName ?? '')
    .split(', ')
    .filter(name => name.startsWith('DNS:'))
    .map(name => name.slice(4).toLowerCase())
  if (names.length > 0) return names
  const common = /^CN=(.+)$/m.exec(certificate.subject)?.[1]?.toLowerCase()
  return common === undefined ? [] : [common]
}

const covers = (names: readonly string[], host: string): boolean =>
  names.includes(host) || names.includes(`*${host.slice(host.indexOf('.'))}`)

/** Fills in `settings.tls`; null when something is wrong, which is reported. */
export const decodeTls = (written: WrittenTls, at: Path, pem: PemReader, problems: Problems): TlsDocument | null => {
  const { minVersion, ciphers, unknownNames, acme } = written
  const taken = new Map<string, Path>()
  const certificates = written.certificates.flatMap((one, index) => {
    const place = [...at, 'certificates', index]
    const pair = pem.pair(one, place)
    if (pair === null) return []
    const names = namesOf(pair.leaf)
    const hosts = one.hosts ?? names
    for (const host of hosts) {
      if (one.hosts !== undefined && !covers(names, host))
        problems.warn([...place, 'hosts'], 'value', `the certificate is not made for ${quote(host)}`)
      const before = taken.get(host)
      if (before === undefined) taken.set(host, place)
      else if (one.hosts !== undefined)
        problems.report([...place, 'hosts'], 'value', `${quote(host)} has a certificate in ${problems.place(before)}`)
    }
    return [{ cert: pair.cert, key: pair.key, hosts }]
  })
  if (written.certificates.length === 0 && acme === undefined)
    problems.report(at, 'key', 'needs at least one certificate in "certificates", or "acme"')
  if (ciphers !== null) {
    try {
      createSecureContext({ ciphers })
    } catch {
      problems.report([...at, 'ciphers'], 'value', 'names no cipher that this program has')
    }
  }
  const asked = written.clientCertificates
  const ca = asked === undefined ? null : pem.authorities(asked.ca, [...at, 'clientCertificates', 'ca'])
  const mode = asked?.mode ?? 'off'
  return {
    certificates,
    acme:
      acme === undefined
        ? null
        : {
            directory: acme.directory,
            email: acme.email ?? null,
            hosts: acme.hosts,
            ca: acme.ca === undefined ? null : pem.authorities(acme.ca, [...at, 'acme', 'ca']),
          },
    minVersion,
    ciphers,
    unknownNames,
    clientCertificates: ca === null || mode === 'off' ? null : { ca, mode },
  }
}

/** Fills in `tls` of an upstream. */
export const decodeUpstreamTls = (written: WrittenUpstreamTls, at: Path, pem: PemReader): UpstreamTlsDocument => {
  const { ca, cert, key, serverName, verify } = written
  const pair = cert === undefined || key === undefined ? null : pem.pair({ cert, key }, at)
  return {
    ca: ca === undefined ? null : pem.authorities(ca, [...at, 'ca']),
    cert: pair?.cert ?? null,
    key: pair?.key ?? null,
    serverName: serverName ?? null,
    verify,
  }
}
