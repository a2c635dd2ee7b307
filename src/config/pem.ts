import { createPrivateKey, X509Certificate } from 'node:crypto'
import { resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { Path } from './errors.ts'
import type { Problems } from './problems.ts'
import { fileProblem } from './substitute.ts'

/** A certificate with its chain and its key, checked against each other. */
export type CertificatePair = { readonly cert: string; readonly key: string; readonly leaf: X509Certificate }

/** Reads what a config file says about certificates; what is wrong is reported with its place, and is null. */
export type PemReader = {
  /** Absolute paths of everything that was read, or should have been. */
  readonly files: Set<string>
  /** Certificates of authorities. */
  authorities(text: string, at: Path): string | null
  pair(written: { cert: string; key: string }, at: Path): CertificatePair | null
}

type PemOptions = {
  readonly problems: Problems
  readonly folder: string
  readonly readFile: (path: string) => string
}

const block = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g
const dayMs = 86_400_000

const certificatesIn = (text: string): X509Certificate[] =>
  [...text.matchAll(block)].filter(([, kind]) => kind === 'CERTIFICATE').map(([found]) => new X509Certificate(found))

/** Makes the reader for one file. Messages never hold what was read. */
export const createPemReader = ({ problems, folder, readFile }: PemOptions): PemReader => {
  const files = new Set<string>()
  const wrong = (at: Path, message: string): null => {
    problems.report(at, 'value', message)
    return null
  }
  const textOf = (written: string, at: Path): string | null => {
    if (written.includes('-----BEGIN ')) return written
    if (/[\r\n\0]/.test(written)) return wrong(at, 'is neither the path of a file nor PEM text')
    const path = resolve(folder, written)
    files.add(path)
    try {
      return readFile(path)
    } catch (error) {
      return wrong(at, `cannot be read: ${fileProblem(error)}`)
    }
  }
  const chainOf = (text: string, at: Path): X509Certificate[] | null => {
    try {
      const found = certificatesIn(text)
      return found.length > 0 ? found : wrong(at, 'holds no certificate ("-----BEGIN CERTIFICATE-----")')
    } catch {
      return wrong(at, 'holds a certificate that cannot be read')
    }
  }
  const warnOfTime = (certificate: X509Certificate, at: Path): void => {
    const now = Date.now()
    const ends = Date.parse(certificate.validTo)
    const day = (time: string): string => new Date(time).toISOString().slice(0, 10)
    if (ends < now) problems.warn(at, 'value', `the certificate has expired (${day(certificate.validTo)})`)
    else if (ends - now < 7 * dayMs)
      problems.warn(at, 'value', `the certificate expires soon (${day(certificate.validTo)})`)
    if (Date.parse(certificate.validFrom) > now)
      problems.warn(at, 'value', `the certificate is not valid before ${day(certificate.validFrom)}`)
  }
  const keyOf = (text: string, at: Path) => {
    if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text))
      return wrong(at, 'is encrypted: give a key without a passphrase, readable for this program only')
    if (!/-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/.test(text))
      return wrong(at, 'holds no private key ("-----BEGIN PRIVATE KEY-----")')
    try {
      return createPrivateKey(text)
    } catch {
      return wrong(at, 'holds a private key that cannot be read')
    }
  }
  return {
    files,
    authorities: (written, at) => {
      const text = textOf(written, at)
      if (text === null) return null
      const certificates = chainOf(text, at)
      if (certificates === null) return null
      for (const certificate of certificates) warnOfTime(certificate, at)
      return text
    },
    pair: (written, at) => {
      const cert = textOf(written.cert, [...at, 'cert'])
      const key = textOf(written.key, [...at, 'key'])
      const leaf = cert === null ? null : (chainOf(cert, [...at, 'cert'])?.[0] ?? null)
      const privateKey = key === null ? null : keyOf(key, [...at, 'key'])
      if (cert === null || key === null || leaf === null || privateKey === null) return null
      if (!leaf.checkPrivateKey(privateKey))
        return wrong([...at, 'key'], 'is not the key of the (first) certificate in "cert"')
      try {
        createSecureContext({ cert, key })
      } catch (error) {
        const { reason = 'it is not usable' } = error as { reason?: string }
        return wrong([...at, 'cert'], `cannot be used for TLS: ${reason}`)
      }
      warnOfTime(leaf, [...at, 'cert'])
      return { cert, key, leaf }
    },
  }
}
