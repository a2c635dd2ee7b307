import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeCertificate } from '#base/test-certificates'

/** Writes a certificate (ECDSA, P-256) and its key into `folder`, for subjects that speak TLS. */
export const writeCertificate = (folder: string): { cert: string; key: string } => {
  const { cert, key } = makeCertificate({ names: ['localhost', 'IP:127.0.0.1'] })
  const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
  writeFileSync(files.cert, cert)
  writeFileSync(files.key, key)
  return files
}
