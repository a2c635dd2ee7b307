import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Log } from '#base/log'
import type { TlsDocument } from '#config/tls'
import type { TlsSecrets } from '#gateway/tls-port'
import { type CertificateSummary, summaryOf } from '../tls-summary.ts'
import { orderCertificate } from './acme-client.ts'

export type AcmeSettings = NonNullable<TlsDocument['acme']>

export type AcmeStatus = {
  readonly hosts: readonly string[]
  readonly certificate: CertificateSummary | null
  readonly lastError: { readonly at: string; readonly message: string } | null
  /** ISO 8601; null while a certificate is being got. */
  readonly nextTry: string | null
}

export type CertificateKeeper = {
  /** Takes up these settings; null ends it. */
  apply(settings: AcmeSettings | null): Promise<void>
  readonly status: AcmeStatus | null
  close(): void
}

export type KeeperOptions = {
  /** Keys and certificates are kept below it. */
  readonly folder: string
  readonly log: Log
  /** Hands certificates and challenges to all workers; resolves when they have them. */
  readonly publish: (part: Partial<Omit<TlsSecrets, 'ticketKeys'>>) => Promise<void>
}

const firstRetryMs = 60_000
const maxRetryMs = 6 * 3_600_000
/** Timers of Node end at 2³¹ ms, and clocks are set; so it is looked at now and then. */
const maxWaitMs = 12 * 3_600_000

const readKey = (file: string): KeyObject | null => {
  try {
    return createPrivateKey(readFileSync(file, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** Written whole or not at all, for its owner only. */
const keep = (file: string, text: string): void => {
  writeFileSync(`${file}.next`, text, { mode: 0o600 })
  renameSync(`${file}.next`, file)
}

const pemOf = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string
const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

const accountKeyIn = (folder: string): KeyObject => {
  const file = join(folder, 'account.key')
  const known = readKey(file)
  if (known !== null) return known
  const key = newKey()
  keep(file, pemOf(key))
  return key
}

type Kept = { cert: string; key: string }

/** The kept certificate, when it is for all of `hosts`. Certificate and key are one file, so that they always fit. */
const keptIn = (folder: string, hosts: readonly string[]): Kept | null => {
  try {
    const kept = JSON.parse(readFileSync(join(folder, 'certificate.json'), 'utf8')) as Kept
    const certificate = new X509Certificate(kept.cert)
    return hosts.every(host => certificate.checkHost(host) !== undefined) ? kept : null
  } catch {
    return null
  }
}

/** When two thirds of its life are over. */
const renewalOf = (cert: string): number => {
  const { validFrom, validTo } = new X509Certificate(cert)
  const begins = Date.parse(validFrom)
  return begins + (2 / 3) * (Date.parse(validTo) - begins)
}

/** Gets a certificate from an ACME server, keeps it, and renews it in time. */
export const keepCertificate = ({ folder: root, log, publish }: KeeperOptions): CertificateKeeper => {
  let settings: AcmeSettings | null = null
  let kept: Kept | null = null
  let lastError: AcmeStatus['lastError'] = null
  let nextTry = 0
  let retryMs = firstRetryMs
  let timer: NodeJS.Timeout | undefined
  let generation = 0

  const folderOf = ({ directory }: AcmeSettings): string => {
    const folder = join(root, 'acme', createHash('sha256').update(directory).digest('hex').slice(0, 16))
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    return folder
  }

  const order = async (wanted: AcmeSettings): Promise<void> => {
    const folder = folderOf(wanted)
    const certificateKey = newKey()
    const { directory, email, ca, hosts } = wanted
    const cert = await orderCertificate({
      server: { directory, email, ca },
      hosts,
      accountKey: accountKeyIn(folder),
      certificateKey,
      publish: challenges => publish({ challenges }),
    })
    const next = { cert, key: pemOf(certificateKey) }
    new X509Certificate(cert).checkPrivateKey(certificateKey)
    keep(join(folder, 'certificate.json'), JSON.stringify(next))
    if (settings !== wanted) return
    kept = next
    await publish({ certificates: [{ ...next, hosts: hosts.map(host => host.toLowerCase()) }] })
    log('info', 'A certificate was issued', { hosts: hosts.join(' '), until: summaryOf(cert, hosts).notAfter })
  }

  const schedule = (at: number, of: number): void => {
    nextTry = at
    timer = setTimeout(() => void look(of), Math.min(Math.max(at - Date.now(), 0), maxWaitMs))
    timer.unref()
  }

  const look = async (of: number): Promise<void> => {
    const wanted = settings
    if (wanted === null || of !== generation) return
    if (Date.now() < nextTry) return schedule(nextTry, of)
    nextTry = 0
    try {
      await order(wanted)
      lastError = null
      retryMs = firstRetryMs
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      lastError = { at: new Date().toISOString(), message }
      log('error', 'No certificate could be had from the ACME server', {
        reason: message,
        again: `${retryMs / 1000} s`,
      })
      if (of === generation) schedule(Date.now() + retryMs, of)
      retryMs = Math.min(retryMs * 2, maxRetryMs)
      return
    }
    if (of === generation && kept !== null) schedule(renewalOf(kept.cert), of)
  }

  return {
    apply: async next => {
      if (JSON.stringify(next) === JSON.stringify(settings)) return
      settings = next
      lastError = null
      clearTimeout(timer)
      const of = ++generation
      kept = next === null ? null : keptIn(folderOf(next), next.hosts)
      await publish({ certificates: kept === null || next === null ? [] : [{ ...kept, hosts: next.hosts }] })
      if (next !== null) schedule(kept === null ? 0 : renewalOf(kept.cert), of)
    },
    get status() {
      if (settings === null) return null
      const { hosts } = settings
      return {
        hosts,
        certificate: kept === null ? null : summaryOf(kept.cert, hosts),
        lastError,
        nextTry: nextTry === 0 ? null : new Date(nextTry).toISOString(),
      }
    },
    close: () => {
      settings = null
      generation++
      clearTimeout(timer)
    },
  }
}
