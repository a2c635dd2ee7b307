import { createHash, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { request } from 'node:https'
import { setTimeout } from 'node:timers/promises'
import { signingRequest } from './signing-request.ts'

export type AcmeServer = {
  readonly directory: string
  readonly email: string | null
  /** PEM of the authorities that the server's own certificate is checked against; null for the usual ones. */
  readonly ca: string | null
}

type Answer = { status: number; headers: Record<string, string | string[] | undefined>; body: string }
type Directory = { newNonce: string; newAccount: string; newOrder: string }
type Challenge = { type: string; url: string; token: string }
type Resource = {
  status?: string
  authorizations?: string[]
  challenges?: Challenge[]
  finalize?: string
  certificate?: string
  error?: { detail?: string }
  identifier?: { value?: string }
}

const timeoutMs = 30_000
const maxAnswer = 1_048_576
const pollMs = 1_000
const maxPolls = 90

const send = (url: string, ca: string | null, body: string | null, head = false): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const options = {
      method: head ? 'HEAD' : body === null ? 'GET' : 'POST',
      headers: { 'user-agent': 'portico', ...(body !== null && { 'content-type': 'application/jose+json' }) },
      signal: AbortSignal.timeout(timeoutMs),
      ...(ca !== null && { ca }),
    }
    const outgoing = request(url, options, response => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
        if (text.length > maxAnswer) outgoing.destroy(new Error('The ACME server sent too much'))
      })
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }))
    })
    outgoing.on('error', reject)
    outgoing.end(body ?? undefined)
  })

const encode = (value: object | string): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** Talks to one ACME server with one account key (RFC 8555). */
class Session {
  readonly #server: AcmeServer
  readonly #key: KeyObject
  readonly #jwk: { crv: unknown; kty: unknown; x: unknown; y: unknown }
  #directory: Directory | null = null
  #account: string | null = null
  #nonce: string | null = null

  constructor(server: AcmeServer, key: KeyObject) {
    this.#server = server
    this.#key = key
    const { crv, kty, x, y } = createPublicKey(key).export({ format: 'jwk' })
    this.#jwk = { crv, kty, x, y }
  }

  /** RFC 8555 §8.1: the token and the thumbprint of the account key (RFC 7638). */
  keyAuthorization(token: string): string {
    return `${token}.${createHash('sha256').update(JSON.stringify(this.#jwk)).digest('base64url')}`
  }

  async directory(): Promise<Directory> {
    if (this.#directory === null) {
      const { status, body } = await send(this.#server.directory, this.#server.ca, null)
      if (status !== 200) throw new Error(`The ACME directory answered ${status}`)
      this.#directory = JSON.parse(body) as Directory
    }
    return this.#directory
  }

  /** Finds the account of the key, or makes one. */
  async login(): Promise<void> {
    const { newAccount } = await this.directory()
    const { email } = this.#server
    const contact = email === null ? {} : { contact: [`mailto:${email}`] }
    const { headers } = await this.#post(newAccount, { termsOfServiceAgreed: true, ...contact })
    this.#account = String(headers['location'])
  }

  /** POST-as-GET where there is no payload (RFC 8555 §6.3). */
  async ask(url: string, payload: object | '' = ''): Promise<{ resource: Resource; location: string; body: string }> {
    const { headers, body } = await this.#post(url, payload)
    const json = String(headers['content-type']).includes('json')
    return { resource: json ? JSON.parse(body) : {}, location: String(headers['location'] ?? url), body }
  }

  async #post(url: string, payload: object | ''): Promise<Answer> {
    const { ca } = this.#server
    // RFC 8555 §6.5: a nonce may be refused for no fault of ours, and the answer brings another.
    for (let attempt = 0; ; attempt++) {
      const nonce =
        this.#nonce ?? String((await send((await this.directory()).newNonce, ca, null, true)).headers['replay-nonce'])
      const identity = this.#account === null ? { jwk: this.#jwk } : { kid: this.#account }
      const head = encode({ alg: 'ES256', nonce, url, ...identity })
      const content = encode(payload)
      const signature = sign('sha256', Buffer.from(`${head}.${content}`), { key: this.#key, dsaEncoding: 'ieee-p1363' })
      const jws = { protected: head, payload: content, signature: signature.toString('base64url') }
      const answer = await send(url, ca, JSON.stringify(jws))
      const next = answer.headers['replay-nonce']
      this.#nonce = typeof next === 'string' ? next : null
      if (answer.status < 400) return answer
      if (attempt < 5 && answer.body.includes('urn:ietf:params:acme:error:badNonce')) continue
      throw new Error(`The ACME server answered ${answer.status}: ${detailOf(answer.body)}`)
    }
  }

  /** Asks until the state is no longer one of `waiting`. */
  async settle(url: string, waiting: readonly string[]): Promise<Resource> {
    for (let poll = 0; poll < maxPolls; poll++) {
      const { resource } = await this.ask(url)
      if (!waiting.includes(resource.status ?? '')) return resource
      await setTimeout(pollMs)
    }
    throw new Error('The ACME server did not decide in time')
  }
}

const detailOf = (body: string): string => {
  try {
    return String((JSON.parse(body) as { detail?: unknown }).detail ?? 'no detail').slice(0, 300)
  } catch {
    return 'no detail'
  }
}

export type CertificateOrder = {
  readonly server: AcmeServer
  readonly hosts: readonly string[]
  /** Elliptic keys (P-256): of the account, and of the certificate. */
  readonly accountKey: KeyObject
  readonly certificateKey: KeyObject
  /** Makes `/.well-known/acme-challenge/TOKEN` answer; resolves when it does everywhere. */
  readonly publish: (challenges: Readonly<Record<string, string>>) => Promise<void>
}

const reasonOf = ({ challenges = [], identifier }: Resource): string => {
  const failed = challenges as (Challenge & { error?: { detail?: string } })[]
  return `${identifier?.value ?? 'a name'}: ${failed.find(({ error }) => error)?.error?.detail ?? 'the challenge failed'}`
}

/** Gets a certificate by the HTTP-01 challenge (RFC 8555 §7.4 and §8.3); resolves with its chain as PEM. */
export const orderCertificate = async (order: CertificateOrder): Promise<string> => {
  const { server, hosts, accountKey, certificateKey, publish } = order
  const session = new Session(server, accountKey)
  await session.login()
  const { newOrder } = await session.directory()
  const identifiers = hosts.map(value => ({ type: 'dns', value }))
  const { resource: placed, location } = await session.ask(newOrder, { identifiers })

  const challenges: Challenge[] = []
  const waiting: string[] = []
  for (const url of placed.authorizations ?? []) {
    const { resource } = await session.ask(url)
    if (resource.status === 'valid') continue
    const challenge = resource.challenges?.find(({ type }) => type === 'http-01')
    if (challenge === undefined || !/^[\w-]{1,256}$/.test(challenge.token))
      throw new Error('The ACME server offers no http-01 challenge')
    challenges.push(challenge)
    waiting.push(url)
  }
  try {
    await publish(Object.fromEntries(challenges.map(({ token }) => [token, session.keyAuthorization(token)])))
    for (const { url } of challenges) await session.ask(url, {})
    for (const url of waiting) {
      const resource = await session.settle(url, ['pending', 'processing'])
      if (resource.status !== 'valid') throw new Error(reasonOf(resource))
    }
  } finally {
    await publish({})
  }

  const ready = await session.settle(location, ['pending', 'processing'])
  const csr = signingRequest(certificateKey, hosts).toString('base64url')
  if (ready.finalize === undefined) throw new Error('The ACME order cannot be finalised')
  await session.ask(ready.finalize, { csr })
  const done = await session.settle(location, ['ready', 'processing'])
  if (done.certificate === undefined) throw new Error(done.error?.detail ?? 'The ACME server gave no certificate')
  return (await session.ask(done.certificate)).body
}
