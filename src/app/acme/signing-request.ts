import { createPublicKey, type KeyObject, sign } from 'node:crypto'
import { bits, octets, oid, sequence, set, smallInteger, tagged } from './der.ts'

const extensionRequest = '1.2.840.113549.1.9.14'
const subjectAltName = '2.5.29.17'
const ecdsaWithSha256 = '1.2.840.10045.4.3.2'

/** A certificate signing request (RFC 2986) for these DNS names with an elliptic key, as DER. */
export const signingRequest = (key: KeyObject, hosts: readonly string[]): Buffer => {
  const names = sequence(...hosts.map(host => tagged(2, Buffer.from(host, 'latin1'), false)))
  const extensions = sequence(sequence(oid(subjectAltName), octets(names)))
  const attributes = sequence(oid(extensionRequest), set(extensions))
  const info = sequence(
    smallInteger(0),
    // The subject may be empty: names stand in the extension (RFC 8555 §7.4).
    sequence(),
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    tagged(0, attributes, true),
  )
  return sequence(info, sequence(oid(ecdsaWithSha256)), bits(sign('sha256', info, key)))
}
