import { randomBytes } from 'node:crypto'
import type { TlsSecrets } from '#gateway/tls-port'

/** Whoever takes a ticket key can read the sessions begun under it, so none is used for long (RFC 5077 §5.5). */
const rotationMs = 8 * 3_600_000

export type SecretKeeper = {
  readonly secrets: TlsSecrets
  update(part: Partial<Omit<TlsSecrets, 'ticketKeys'>>): Promise<void>
  close(): void
}

/** Keeps what the workers share for TLS; `onChange` hands it to them. */
export const keepTlsSecrets = (onChange: (secrets: TlsSecrets) => Promise<void>): SecretKeeper => {
  let secrets: TlsSecrets = { ticketKeys: randomBytes(48), certificates: [], challenges: {} }
  const change = (part: Partial<TlsSecrets>): Promise<void> => {
    secrets = { ...secrets, ...part }
    return onChange(secrets)
  }
  const timer = setInterval(() => void change({ ticketKeys: randomBytes(48) }), rotationMs)
  timer.unref()
  return {
    get secrets() {
      return secrets
    },
    update: change,
    close: () => clearInterval(timer),
  }
}
