import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { skipCertificates as skip } from '#base/test-certificates'
import { signingRequest } from './signing-request.ts'

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

const read = (input: Buffer): { text: string; verdict: string } => {
  const flags = ['req', '-inform', 'DER', '-noout', '-text', '-verify']
  const { stdout, stderr } = spawnSync('openssl', flags, { input, encoding: 'utf8' })
  return { text: stdout, verdict: stderr }
}

for (const hosts of [['one.example'], Array.from({ length: 100 }, (_, index) => `host-${index}.some.example`)])
  test(`openssl reads and verifies a request for ${hosts.length} names`, { skip }, () => {
    const { text, verdict } = read(signingRequest(privateKey, hosts))
    assert.match(verdict, /verify OK/)
    assert.match(text, /Version: 1/)
    assert.match(text, /ASN1 OID: prime256v1/)
    assert.match(text, /ecdsa-with-SHA256/)
    assert.deepEqual(
      [...text.matchAll(/DNS:([^,\s]+)/g)].map(match => match[1]),
      hosts,
    )
  })

test('a request that was changed is told apart', { skip }, () => {
  const request = signingRequest(privateKey, ['one.example'])
  const at = request.indexOf('one.example')
  request.write('two', at)
  assert.match(read(request).verdict, /verify failure/)
})
