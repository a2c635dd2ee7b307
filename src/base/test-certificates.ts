import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A certificate made for a test, and its key. */
export type TestCertificate = { cert: string; key: string }

export type CertificateOptions = {
  /** `/CN=alice/O=Example`; the first name unless given. */
  subject?: string
  /** Subject alternative names as openssl writes them; `DNS:` may be left out. */
  names?: readonly string[]
  /** Who signs it; itself unless given. */
  by?: TestCertificate
  /** Whether it may sign others. */
  authority?: boolean
  /** `YYYYMMDDHHMMSSZ` */
  notAfter?: string
}

const openssl = (args: readonly string[]): string =>
  execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

/** Why tests with certificates cannot run here, or false. */
export const skipCertificates: string | false = (() => {
  try {
    openssl(['version'])
    return false
  } catch {
    return 'needs the openssl program to make certificates'
  }
})()

/** Makes a certificate with a key of its own: Node can check certificates but not make them. */
export const makeCertificate = (options: CertificateOptions): TestCertificate => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-certificate-'))
  const file = (name: string): string => join(folder, name)
  const names = (options.names ?? []).map(name => (/^[a-zA-Z]+:/.test(name) ? name : `DNS:${name}`))
  const subject = options.subject ?? `/CN=${(options.names?.[0] ?? 'test').replace(/^\w+:/, '')}`
  try {
    openssl([
      ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', subject],
      ...['-keyout', file('key'), '-out', file('request')],
    ])
    const signer = options.by
    writeFileSync(file('signer.key'), signer?.key ?? readFileSync(file('key')))
    if (signer !== undefined) writeFileSync(file('signer.pem'), signer.cert)
    const extensions = [
      `basicConstraints=critical,CA:${options.authority === true ? 'TRUE' : 'FALSE'}`,
      ...(names.length > 0 ? [`subjectAltName=${names.join(',')}`] : []),
    ]
    writeFileSync(file('extensions'), extensions.join('\n'))
    writeFileSync(file('index'), '')
    writeFileSync(
      file('ca.cnf'),
      `[ca]\ndefault_ca=d\n[d]\ndir=${folder}\ndatabase=${file('index')}\nnew_certs_dir=${folder}\nrand_serial=yes\n` +
        'default_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=optional\norganizationName=optional\ncountryName=optional\n',
    )
    openssl([
      ...['ca', '-batch', '-notext', '-config', file('ca.cnf'), '-in', file('request'), '-out', file('cert')],
      ...['-extfile', file('extensions'), '-keyfile', file('signer.key'), '-startdate', '20200101000000Z'],
      ...['-enddate', options.notAfter ?? '20991231235959Z'],
      ...(signer === undefined ? ['-selfsign'] : ['-cert', file('signer.pem')]),
    ])
    return { cert: readFileSync(file('cert'), 'utf8'), key: readFileSync(file('key'), 'utf8') }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
