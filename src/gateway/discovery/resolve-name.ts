import { lookup, Resolver } from 'node:dns/promises'
import { readFile } from 'node:fs/promises'
import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { ResolvedAddress } from '../endpoint.ts'

export type DnsSettings = {
  /** `address` or `address:port`; the system's own when there are none. */
  readonly servers: readonly string[]
  /** Milliseconds: how soon, and how late, a name is asked for again whatever its TTL says. */
  readonly minTtl: number
  readonly maxTtl: number
}

/** `addresses` null leaves the name to the system, at each connection. */
export type Resolution = { readonly addresses: readonly ResolvedAddress[] | null; readonly ttlMs: number }

/** For answers that come without a TTL: those of the system, and SRV records of Node. */
const unknownTtlMs = 30_000
const maxAddresses = 256
const queryTimeoutMs = 2_000

type Found = { address: string; ttlMs: number }

const isMissing = (error: unknown): boolean =>
  ['ENOTFOUND', 'ENODATA', 'NOTFOUND', 'NODATA'].includes((error as NodeJS.ErrnoException).code ?? '')

/** As AI_ADDRCONFIG (RFC 3493 §6.1): addresses that this machine has no way to are not used. */
const hasIPv6 = (): boolean =>
  Object.values(networkInterfaces()).some(list =>
    list?.some(({ family, internal, address }) => family === 'IPv6' && !internal && !address.startsWith('fe80')),
  )

const inHostsFile = async (name: string): Promise<boolean> => {
  const text = await readFile('/etc/hosts', 'utf8').catch(() => '')
  return text.split('\n').some(line => line.replace(/#.*/, '').trim().toLowerCase().split(/\s+/).indexOf(name) > 0)
}

/** Asks DNS for the addresses of targets, with what the servers say about how long they hold. */
export class NameResolver {
  readonly #resolver = new Resolver({ timeout: queryTimeoutMs, tries: 2 })
  readonly #ownServers: boolean

  constructor({ servers }: Pick<DnsSettings, 'servers'>) {
    this.#ownServers = servers.length > 0
    if (this.#ownServers) this.#resolver.setServers(servers)
  }

  /** All addresses of a host name. Throws when neither DNS nor the system knows any. */
  async addresses(name: string): Promise<Resolution> {
    if (await inHostsFile(name)) return { addresses: null, ttlMs: unknownTtlMs }
    const found = await this.#find(name)
    return {
      addresses: found.map(({ address }) => ({ address, port: null, priority: 0, weight: 1 })),
      ttlMs: Math.min(...found.map(({ ttlMs }) => ttlMs)),
    }
  }

  /** What SRV records (RFC 2782) name, with all addresses of it. */
  async services(name: string): Promise<Resolution> {
    const records = await this.#resolver.resolveSrv(name)
    const addresses: ResolvedAddress[] = []
    let ttlMs = unknownTtlMs
    let failure: unknown = null
    // A single dot says that the service is decidedly not there.
    for (const { name: host, port, priority, weight } of records.filter(record => !['', '.'].includes(record.name))) {
      try {
        for (const found of await this.#find(host.toLowerCase())) {
          ttlMs = Math.min(ttlMs, found.ttlMs)
          // A weight of zero still gets a little (RFC 2782, page 4).
          addresses.push({ address: found.address, port, priority, weight: Math.max(weight, 1) })
        }
      } catch (error) {
        failure = error
      }
    }
    if (addresses.length === 0 && failure !== null) throw failure
    return { addresses: addresses.slice(0, maxAddresses), ttlMs }
  }

  cancel(): void {
    this.#resolver.cancel()
  }

  async #find(name: string): Promise<Found[]> {
    const found = await this.#ask(name)
    if (found.length > 0) return found.slice(0, maxAddresses)
    if (this.#ownServers) throw Object.assign(new Error(`There is no address of ${name}`), { code: 'ENOTFOUND' })
    // Search domains, mDNS and the like are known to the system alone.
    const known = await lookup(name, { all: true })
    return known.map(({ address }) => ({ address, ttlMs: unknownTtlMs }))
  }

  /** A and AAAA records; empty when DNS says that there are none. */
  async #ask(name: string): Promise<Found[]> {
    const options = { ttl: true } as const
    const [four, six] = await Promise.allSettled([
      this.#resolver.resolve4(name, options),
      this.#resolver.resolve6(name, options),
    ])
    // One family alone may not push the addresses of the other out because its answer was lost.
    for (const part of [four, six]) if (part.status === 'rejected' && !isMissing(part.reason)) throw part.reason
    const records = [four, six].flatMap(part => (part.status === 'fulfilled' ? part.value : []))
    const found = records.map(({ address, ttl }) => ({ address, ttlMs: ttl * 1000 }))
    if (hasIPv6()) return found
    const reachable = found.filter(({ address }) => !isIPv6(address) || address === '::1')
    return reachable.length > 0 ? reachable : found
  }
}
