import type { Log } from '#base/log'
import { type NameEvent, NameWatch } from '#gateway/discovery/name-watch'
import type { DnsSettings } from '#gateway/discovery/resolve-name'
import { readPlace } from '#gateway/endpoint'
import { TargetWatch } from '#gateway/health/target-watch'
import type { WatchPlan } from '#gateway/health/watch-plan'
import { TimerWheel } from '#http/timer-wheel'
import type { Addresses } from './loader-messages.ts'
import { upstreamLine } from './upstream-log.ts'

/** What the main thread finds out about targets for all workers: their health, and the addresses of their names. */
export type TargetsWatch = {
  readonly addresses: Addresses
  /** Also looks for what a configuration names that is about to be served; waits a little for what it cannot do without. */
  prepare(plan: WatchPlan, dns: DnsSettings): Promise<void>
  /** The configuration that is served now. */
  apply(plan: WatchPlan): void
  close(): void
}

/** How long a start or a reload waits for names: the system can find those of hosts too, those of SRV records it cannot. */
const patienceMs = { address: 1_000, srv: 3_000 }

const nameLine = (event: NameEvent) =>
  event.kind === 'changed'
    ? (['info', 'Addresses of a name changed', { name: event.name, addresses: event.addresses.join(', ') }] as const)
    : (['warn', 'The addresses of a name could not be found', { name: event.name, reason: event.reason }] as const)

export const watchTargets = (options: {
  memory: SharedArrayBuffer
  dns: DnsSettings
  log: Log
  onAddresses: (addresses: Addresses) => void
}): TargetsWatch => {
  const { log } = options
  const wheel = new TimerWheel()
  const targets = new TargetWatch({
    memory: options.memory,
    wheel,
    onEvent: event => {
      const { level, message, details } = upstreamLine(event)
      log(level, message, details)
    },
  })
  const names = new NameWatch({
    settings: options.dns,
    onAddresses: addresses => {
      targets.resolve(addresses)
      // A copy: what workers were told must not change under them.
      options.onAddresses(new Map(addresses))
    },
    onEvent: event => {
      const [level, message, details] = nameLine(event)
      log(level, message, details)
    },
  })
  let served: WatchPlan = []
  const namesOf = (plan: WatchPlan) => plan.map(({ url }) => readPlace(url, null))
  return {
    get addresses() {
      return new Map(names.addresses)
    },
    prepare: async (plan, dns) => {
      names.configure(dns)
      names.update(namesOf([...served, ...plan]))
      const needsDns = namesOf(plan).some(({ discovery }) => discovery === 'srv')
      await names.ready(needsDns ? patienceMs.srv : patienceMs.address)
    },
    apply: plan => {
      served = plan
      names.update(namesOf(plan))
      targets.apply(plan)
    },
    close: () => {
      names.close()
      targets.close()
      wheel.close()
    },
  }
}
