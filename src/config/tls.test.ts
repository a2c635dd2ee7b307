import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { test } from 'node:test'
import { makeCertificate, skipCertificates as skip } from '#base/test-certificates'
import { formatConfigError, parseDocument } from './load.ts'
import { testCatalogue as catalogue } from './test-catalogue.ts'

const make = (...args: Parameters<typeof makeCertificate>) => (skip ? { cert: '', key: '' } : makeCertificate(...args))
const one = make({ names: ['one.example', 'www.one.example'] })
const two = make({ names: ['*.two.example'] })
const old = make({ names: ['old.example'], notAfter: '20200202000000Z' })
const common = make({ subject: '/CN=Common.example' })
const encrypted = skip
  ? ''
  : (createPrivateKey(one.key).export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'x',
    }) as string)

const files: Record<string, string> = {
  '/etc/portico/one.pem': one.cert,
  '/etc/portico/one.key': one.key,
  '/etc/portico/two.pem': two.cert,
  '/etc/portico/two.key': two.key,
  '/etc/portico/old.pem': old.cert,
  '/etc/portico/old.key': old.key,
  '/etc/portico/chain.pem': one.cert + two.cert,
  '/etc/portico/encrypted.key': encrypted,
  '/etc/portico/notes.txt': 'no certificate',
  '/etc/portico/broken.pem': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  '/etc/portico/broken.key': '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n',
}

const parse = (tls: unknown, upstreamTls?: unknown) =>
  parseDocument(
    JSON.stringify(
      {
        version: 1,
        ...(tls !== undefined && { settings: { tls } }),
        services: [
          {
            name: 'main',
            upstream: {
              targets: [{ url: 'https://origin.example' }],
              ...(upstreamTls !== undefined && { tls: upstreamTls }),
            },
            routes: [{ path: '/' }],
          },
        ],
      },
      null,
      1,
    ),
    {
      file: '/etc/portico/portico.yaml',
      catalogue,
      readFile: path => {
        const content = files[path]
        if (content === undefined) throw Object.assign(new Error('not found'), { code: 'ENOENT' })
        return content
      },
    },
  )

const pairOne = { cert: './one.pem', key: 'one.key' }

test('certificates are read with their names, and the files are told', { skip }, () => {
  const result = parse({ certificates: [pairOne, { cert: two.cert, key: two.key, hosts: ['A.two.example'] }] })
  assert.ok(result.ok, JSON.stringify(result))
  assert.deepEqual(result.document.settings.tls, {
    certificates: [
      { ...one, hosts: ['one.example', 'www.one.example'] },
      { ...two, hosts: ['a.two.example'] },
    ],
    acme: null,
    minVersion: 'TLSv1.2',
    ciphers: null,
    unknownNames: 'default',
    clientCertificates: null,
  })
  assert.deepEqual(result.files, ['/etc/portico/one.pem', '/etc/portico/one.key'])
  assert.deepEqual(result.warnings, [])
})

test('a certificate may come from an ACME server alone', { skip }, () => {
  const acme = { directory: 'https://acme.example/dir', hosts: ['One.example'] }
  const result = parse({ acme: { ...acme, email: 'it@one.example', ca: './two.pem' } })
  assert.ok(result.ok, JSON.stringify(result))
  assert.deepEqual(result.document.settings.tls?.acme, {
    directory: 'https://acme.example/dir',
    email: 'it@one.example',
    hosts: ['one.example'],
    ca: two.cert,
  })
  assert.ok(parse({ acme }).ok)
})

test('all keys decode; a certificate without DNS names is known by its common name', { skip }, () => {
  const result = parse({
    certificates: [common],
    minVersion: 1.3,
    ciphers: 'ECDHE-RSA-AES128-GCM-SHA256:!MD5',
    unknownNames: 'refuse',
    clientCertificates: { ca: './chain.pem', mode: 'optional' },
  })
  assert.ok(result.ok, JSON.stringify(result))
  const tls = result.document.settings.tls
  assert.deepEqual(tls?.certificates[0]?.hosts, ['common.example'])
  assert.equal(tls?.minVersion, 'TLSv1.3')
  assert.deepEqual(tls?.clientCertificates, { ca: one.cert + two.cert, mode: 'optional' })
})

test('credentials of an upstream are read', { skip }, () => {
  const result = parse(undefined, { ca: './two.pem', ...pairOne, serverName: 'inside.example', verify: false })
  assert.ok(result.ok, JSON.stringify(result))
  assert.deepEqual(result.document.services[0]?.upstream?.tls, {
    ca: two.cert,
    ...one,
    serverName: 'inside.example',
    verify: false,
  })
  assert.equal(result.files.length, 3)
})

for (const [what, tls, expected] of [
  [
    'an ACME server without TLS',
    { acme: { directory: 'http://acme.example/dir', hosts: ['one.example'] } },
    /acme\.directory {2}must be an https URL/,
  ],
  [
    'a wildcard from an ACME server',
    { acme: { directory: 'https://acme.example/dir', hosts: ['*.one.example'] } },
    /acme\.hosts\[0\] {2}HTTP-01 gives no certificates for wildcards/,
  ],
  ['no certificate at all', {}, /settings\.tls {2}needs at least one certificate/],
  [
    'a file that is not there',
    { certificates: [{ ...pairOne, cert: './gone.pem' }] },
    /certificates\[0\]\.cert {2}cannot be read: there is no such file/,
  ],
  [
    'a file without a certificate',
    { certificates: [{ ...pairOne, cert: './notes.txt' }] },
    /\.cert {2}holds no certificate/,
  ],
  [
    'a broken certificate',
    { certificates: [{ ...pairOne, cert: './broken.pem' }] },
    /\.cert {2}holds a certificate that cannot be read/,
  ],
  [
    'a certificate in the place of the key',
    { certificates: [{ ...pairOne, key: './one.pem' }] },
    /\.key {2}holds no private key/,
  ],
  [
    'a broken key',
    { certificates: [{ ...pairOne, key: './broken.key' }] },
    /\.key {2}holds a private key that cannot be read/,
  ],
  ['an encrypted key', { certificates: [{ ...pairOne, key: './encrypted.key' }] }, /\.key {2}is encrypted/],
  [
    'the key of another certificate',
    { certificates: [{ ...pairOne, key: './two.key' }] },
    /\.key {2}is not the key of the \(first\) certificate/,
  ],
  [
    'a name with two certificates',
    { certificates: [pairOne, { ...pairOne, hosts: ['one.example'] }] },
    /certificates\[1\]\.hosts {2}"one\.example" has a certificate in settings\.tls\.certificates\[0\] \(line \d+\)/,
  ],
  ['an unknown version', { certificates: [pairOne], minVersion: '1.1' }, /minVersion/],
  ['an unknown key, with a suggestion', { certificates: [pairOne], minversion: '1.2' }, /did you mean "minVersion"\?/],
  ['ciphers that are not there', { certificates: [pairOne], ciphers: 'NOPE' }, /ciphers {2}names no cipher/],
  ['a list of ciphers with spaces', { certificates: [pairOne], ciphers: 'A B' }, /ciphers {2}must be names of ciphers/],
  [
    'authorities that are not there',
    { certificates: [pairOne], clientCertificates: { ca: './gone.pem' } },
    /clientCertificates\.ca {2}cannot be read/,
  ],
  [
    'an unknown mode',
    { certificates: [pairOne], clientCertificates: { ca: './one.pem', mode: 'require' } },
    /did you mean "required"\?/,
  ],
] as const)
  test(`refused with its place: ${what}`, { skip }, () => {
    const result = parse(tls)
    assert.ok(!result.ok)
    const text = result.errors.map(formatConfigError).join('\n')
    assert.match(text, expected)
    assert.doesNotMatch(text, /MII|AAAA/)
    assert.ok(result.errors.every(({ line }) => line > 1))
  })

test('refused of an upstream: a certificate without its key', { skip }, () => {
  const result = parse(undefined, { cert: './one.pem' })
  assert.ok(!result.ok)
  assert.match(formatConfigError(result.errors[0]!), /upstream\.tls {2}"cert" and "key" go together/)
})

test('what is in vain or out of date is a warning', { skip }, () => {
  const result = parse({
    certificates: [
      { cert: './old.pem', key: './old.key' },
      { ...pairOne, hosts: ['other.example'] },
    ],
  })
  assert.ok(result.ok)
  assert.match(
    result.warnings.map(formatConfigError).join('\n'),
    /certificates\[0\]\.cert {2}the certificate has expired \(2020-02-02\)\n.*certificates\[1\]\.hosts {2}the certificate is not made for "other\.example"/,
  )
})
