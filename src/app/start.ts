import { join } from 'node:path'
import { createAdmin } from '#admin/admin'
import { UserError } from '#base/errors'
import type { Log } from '#base/log'
import { version } from '#base/version'
import { type ConfigError, formatConfigError } from '#config/errors'
import { createHealthMemory, HealthTable } from '#gateway/health/health-table'
import { mergeViews } from '#gateway/health/upstream-view'
import { renderProblem } from '#gateway/respond-error'
import { createHttpServer } from '#http/server'
import { TimerWheel } from '#http/timer-wheel'
import { startCallStorage } from '#storage/call-storage'
import { createCountersMemory } from '#storage/shared-counters'
import { keepCertificate } from './acme/certificate-keeper.ts'
import { loadRevision } from './configuration.ts'
import { adminToken, openDataFolder } from './data-folder.ts'
import { checkFree, type ListenAddress, listenProblem, listenWhenFree } from './listen-address.ts'
import { createLoader } from './loader.ts'
import { renderMetrics } from './metrics.ts'
import { keepTlsSecrets } from './tls-secrets.ts'
import { watchFiles } from './watch-files.ts'
import { watchTargets } from './watch-targets.ts'
import { startWorkers, type Workers } from './workers.ts'

export type StartOptions = {
  configFile: string
  env: NodeJS.ProcessEnv
  gateway: ListenAddress
  /** Where TLS is spoken; null for nowhere. */
  gatewayTls: ListenAddress | null
  /** Null serves no console and no admin API. */
  console: ListenAddress | null
  dataFolder: string
  workers: number
  adminToken: string | undefined
  /** Another Portico may have the addresses: the gateway's is shared, the console's taken when it becomes free. */
  takeover: boolean
  log: Log
}

export type Portico = {
  readonly gateway: ListenAddress
  readonly gatewayTls: ListenAddress | null
  readonly console: ListenAddress | null
  readonly adminToken: string
  /** Reads the config file again and swaps it in; false when it is wrong and the old one goes on. */
  reload(): Promise<boolean>
  reopenLogs(): void
  /** Finishes running calls, then ends everything. */
  stop(): Promise<void>
}

const consoleTimeouts = { requestHead: 10_000, idle: 60_000 }
const consoleLimits = { head: 65_536, headers: 128, target: 16_384, connections: 1_000 }

const wrongConfig = (errors: readonly ConfigError[]): UserError =>
  new UserError(errors.map(formatConfigError).join('\n'), 2)

const warnOf = (warnings: readonly ConfigError[], log: Log): void => {
  for (const warning of warnings) log('warn', formatConfigError(warning))
}

/** Starts the whole program in this process: configuration, call log, gateway workers, console port. */
export const startPortico = async (options: StartOptions): Promise<Portico> => {
  const { configFile, env, log } = options
  const healthMemory = createHealthMemory()
  const first = loadRevision(configFile, env, 1, new HealthTable(healthMemory)).loaded
  if (!first.ok) throw wrongConfig(first.errors)
  warnOf(first.warnings, log)
  let current = first.revision
  const loader = createLoader(healthMemory)
  let draining = false
  let lastReloadError: { at: string; errors: string[] } | null = null

  if (options.gatewayTls !== null && current.tls === null)
    throw new UserError(`--gateway-tls needs certificates: give settings.tls in ${configFile}`, 2)
  if (options.gatewayTls === null && current.tls !== null)
    log('warn', 'settings.tls is not used, since there is no --gateway-tls')
  if (!options.takeover) {
    await checkFree(options.gateway, 'gateway')
    if (options.gatewayTls !== null) await checkFree(options.gatewayTls, 'gateway-tls')
    if (options.console !== null) await checkFree(options.console, 'console')
  }
  openDataFolder(options.dataFolder)
  const token = adminToken(options.dataFolder, options.adminToken)
  const startedAt = new Date().toISOString()
  const calls = startCallStorage({
    folder: join(options.dataFolder, 'calls'),
    keep: current.keepCalls,
    log: message => log('warn', message),
  })
  let workers: Workers | null = null
  const watch = watchTargets({
    memory: healthMemory,
    dns: current.dns,
    log,
    onAddresses: addresses => workers?.resolve(addresses),
  })
  await watch.prepare(current.watch, current.dns)
  const secrets = keepTlsSecrets(async next => workers?.renewTls(next))
  const started = await startWorkers({
    count: options.workers,
    ...options.gateway,
    tls: options.gatewayTls === null ? null : { ...options.gatewayTls, secrets: secrets.secrets },
    document: current.document,
    revision: current.revision,
    countersMemory: createCountersMemory(),
    healthMemory,
    addresses: watch.addresses,
    connectCalls: () => calls.connect(),
    stallMs: () => current.stallMs,
    log,
    ...(env['PORTICO_TEST_CRASH_PATH'] && { script: new URL('./test-crashing-worker.ts', import.meta.url) }),
  }).catch(async error => {
    watch.close()
    await calls.close()
    if ((error as NodeJS.ErrnoException).code === undefined) throw error
    throw error.tls === true && options.gatewayTls !== null
      ? listenProblem('gateway-tls', options.gatewayTls, error)
      : listenProblem('gateway', options.gateway, error)
  })
  workers = started
  watch.apply(current.watch)
  const acme = keepCertificate({ folder: options.dataFolder, log, publish: part => secrets.update(part) })
  if (options.gatewayTls !== null) await acme.apply(current.acme)
  const gateway = { host: options.gateway.host, port: started.port }
  const gatewayTls = options.gatewayTls === null ? null : { host: options.gatewayTls.host, port: started.tlsPort }

  const status = async () => ({
    snapshot: { revision: current.revision, routes: current.routes, services: current.services },
    startedAt,
    version,
    node: process.version,
    configFile,
    lastReloadError,
    tls: current.tls === null ? null : { listens: gatewayTls !== null, ...current.tls, acme: acme.status },
    engines: { calls: { engine: 'sqlite', ...calls.stats() } },
    workerRestarts: started.restarts,
    workers: (await started.report()).map(({ metrics: _, mirrors: __, watched: ___, ...report }) => ({
      ...report,
      rss: process.memoryUsage.rss(),
    })),
  })

  const serveConsole = async (address: ListenAddress) => {
    const handle = createAdmin({
      token,
      calls: calls.store,
      status,
      metrics: async () =>
        renderMetrics(await started.report(), started.retired, current.revision, lastReloadError !== null),
      explain: async input =>
        loader.explain(current, watch.addresses, {
          method: input.method,
          url: input.url,
          headers: input.headers.flat(),
        }),
      upstreams: async query => {
        const found = mergeViews(await started.findUpstreams({ ...query, limit: query.limit + 1 }))
        const items = found.slice(0, query.limit)
        return { items, nextCursor: found.length > query.limit ? (items.at(-1)?.name ?? null) : null }
      },
      readiness: () => (draining ? 'draining' : 'ready'),
      log: message => log('error', message),
    })
    const server = createHttpServer({
      wheel: new TimerWheel(),
      limits: consoleLimits,
      timeouts: consoleTimeouts,
      onExchange: handle,
      onInvalid: error => renderProblem(error, '', ''),
    })
    const listening = options.takeover ? listenWhenFree(server, address, () => draining) : server.listen(address)
    const port = await listening.catch(error => {
      throw listenProblem('console', address, error)
    })
    return { server, address: { host: address.host, port } }
  }
  const console = options.console === null ? null : await serveConsole(options.console)

  let reloading: Promise<boolean> = Promise.resolve(true)
  const reloadNow = async (): Promise<boolean> => {
    const refuse = (errors: string[]): false => {
      lastReloadError = { at: new Date().toISOString(), errors }
      log('error', `The configuration was not reloaded; the last good one goes on:\n${errors.join('\n')}`)
      return false
    }
    try {
      const next = await loader.load(configFile, env, current.revision + 1)
      if (!next.ok) return refuse(next.errors.map(formatConfigError))
      if (gatewayTls !== null && next.revision.tls === null)
        return refuse([`${configFile}: settings.tls is gone, but the TLS port is open; it closes with a restart only`])
      warnOf(next.warnings, log)
      await watch.prepare(next.revision.watch, next.revision.dns)
      await started.apply(next.revision.document, next.revision.revision)
      current = next.revision
      watch.apply(current.watch)
      await files.watch(current.files)
      if (gatewayTls !== null) await acme.apply(current.acme)
    } catch (error) {
      return refuse([error instanceof Error ? error.message : String(error)])
    }
    lastReloadError = null
    log('info', 'The configuration was reloaded', { revision: current.revision, routes: current.routes })
    return true
  }

  const reload = (): Promise<boolean> => {
    reloading = reloading.then(reloadNow, reloadNow)
    return reloading
  }
  const files = watchFiles(file => {
    log('info', 'A certificate file changed', { file })
    void reload()
  })
  await files.watch(current.files)

  return {
    gateway,
    gatewayTls,
    console: console?.address ?? null,
    adminToken: token,
    reload,
    reopenLogs: () => started.reopenLogs(),
    stop: async () => {
      watch.close()
      files.close()
      secrets.close()
      acme.close()
      draining = true
      await started.drain(current.drain)
      await console?.server.drain(1_000)
      await calls.close()
      await loader.close()
    },
  }
}
