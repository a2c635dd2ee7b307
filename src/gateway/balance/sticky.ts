import { createHmac } from 'node:crypto'
import type { StickyDocument } from '#config/document'
import type { GatewayCall } from '../gateway-call.ts'
import type { BalanceCall, Target } from '../target.ts'
import { readCookie } from './cookie.ts'

/** Keeps a client with the target that answered it first, by a cookie that names the target but not its address. */
export class Sticky {
  readonly #config: StickyDocument
  readonly #secret: string
  #names = new Map<Target, string>()
  #targets = new Map<string, Target>()

  constructor(config: StickyDocument, upstream: string, targets: readonly Target[]) {
    this.#config = config
    this.#secret = config.secret ?? upstream
    this.replace(targets)
  }

  /** Other targets, because addresses changed. */
  replace(targets: readonly Target[]): void {
    this.#names = new Map(targets.map(target => [target, this.#nameOf(target)]))
    this.#targets = new Map([...this.#names].map(([target, name]) => [name, target]))
  }

  /** The target that the client's cookie names; null without one that is known here. */
  find(call: BalanceCall): Target | null {
    const name = readCookie(call.headers, this.#config.cookie)
    return name === undefined ? null : (this.#targets.get(name) ?? null)
  }

  /** Has the answer set the cookie (RFC 6265 §4.1), unless the client's already says the same. */
  keep(call: GatewayCall, target: Target): void {
    const { cookie, ttl } = this.#config
    const name = this.#names.get(target.owner)
    if (name === undefined || readCookie(call.headers, cookie) === name) return
    const age = ttl === null ? '' : `; Max-Age=${Math.round(ttl / 1000)}`
    const secure = call.exchange.peer.encrypted || call.forwarding.forwardedProto === 'https' ? '; Secure' : ''
    call.addResponseHeader('set-cookie', `${cookie}=${name}; Path=/; HttpOnly; SameSite=Lax${age}${secure}`)
  }

  #nameOf(target: Target): string {
    return createHmac('sha256', this.#secret).update(target.key).digest('hex').slice(0, 20)
  }
}
