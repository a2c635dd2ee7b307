import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { formatAddress, parseListenAddress } from '#app/listen-address'
import { startPortico } from '#app/start'
import { watchFile } from '#app/watch-file'
import { UserError } from '#base/errors'
import { createLog, type LogLevel, logLevels } from '#base/log'

export const help = `portico start [options]

  Serves the gateway, and the console beside it.

  --config FILE          configuration (PORTICO_CONFIG); without it a demonstration is served
  --gateway HOST:PORT    where the gateway listens (PORTICO_GATEWAY, 127.0.0.1:8080); port 0 takes a free one
  --gateway-tls HOST:PORT  where it speaks TLS (PORTICO_GATEWAY_TLS); needs settings.tls in the configuration
  --console HOST:PORT    where console and admin API listen (PORTICO_CONSOLE, 127.0.0.1:8081)
  --no-console           no console and no admin API (PORTICO_NO_CONSOLE=1)
  --data DIR             folder for what must be kept (PORTICO_DATA, .portico)
  --workers N            gateway threads (PORTICO_WORKERS, the number of cores)
  --takeover             serve the same gateway address as a Portico that runs, which is then stopped (PORTICO_TAKEOVER=1)
  --admin-token TOKEN    token of the admin API (PORTICO_ADMIN_TOKEN); else one is made in the data folder
  --log-level LEVEL      ${logLevels.join(', ')} (PORTICO_LOG_LEVEL, info)

  SIGHUP and a changed config file reload without a lost call; SIGTERM and Ctrl-C drain and stop.`

const optionTypes = {
  config: { type: 'string' },
  gateway: { type: 'string' },
  'gateway-tls': { type: 'string' },
  console: { type: 'string' },
  'no-console': { type: 'boolean' },
  takeover: { type: 'boolean' },
  data: { type: 'string' },
  workers: { type: 'string' },
  'admin-token': { type: 'string' },
  'log-level': { type: 'string' },
} as const

const readFlags = (args: string[]) => {
  try {
    return parseArgs({ args, options: optionTypes, strict: true }).values
  } catch (error) {
    throw new UserError(`${(error as Error).message.split('. ')[0]}. See portico start --help`, 2)
  }
}

const readWorkers = (text: string | undefined): number => {
  if (text === undefined || text === '') return availableParallelism()
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1 || count > 256)
    throw new UserError('--workers takes a number from 1 to 256', 2)
  return count
}

const readLevel = (text: string | undefined): LogLevel => {
  if (text === undefined || text === '') return 'info'
  if ((logLevels as readonly string[]).includes(text)) return text as LogLevel
  throw new UserError(`--log-level takes one of ${logLevels.join(', ')}`, 2)
}

const sameSignalMs = 1000

/** Runs until a signal ends it; resolves with the exit code. */
export const run = async (args: string[]): Promise<number> => {
  const { env } = process
  const flags = readFlags(args)
  const setting = (flag: Exclude<keyof typeof flags, 'no-console' | 'takeover'>, name: string): string | undefined =>
    flags[flag] ?? env[name]
  const log = createLog(readLevel(setting('log-level', 'PORTICO_LOG_LEVEL')), process.stderr.isTTY === true)
  const switched = (flag: 'no-console' | 'takeover', name: string): boolean =>
    flags[flag] === true || /^(1|true|yes)$/i.test(env[name] ?? '')
  const withoutConsole = switched('no-console', 'PORTICO_NO_CONSOLE')
  const gateway = parseListenAddress(setting('gateway', 'PORTICO_GATEWAY') ?? '127.0.0.1:8080', '--gateway')
  const tlsText = setting('gateway-tls', 'PORTICO_GATEWAY_TLS') ?? ''
  const gatewayTls = tlsText === '' ? null : parseListenAddress(tlsText, '--gateway-tls')
  const console = withoutConsole
    ? null
    : parseListenAddress(setting('console', 'PORTICO_CONSOLE') ?? '127.0.0.1:8081', '--console')
  const workers = readWorkers(setting('workers', 'PORTICO_WORKERS'))
  const given = setting('config', 'PORTICO_CONFIG')

  const demo = given === undefined ? await (await import('#app/demo')).startDemo() : null
  const configFile = resolve(demo?.configFile ?? (given as string))
  const portico = await startPortico({
    configFile,
    env: { ...env, ...demo?.env },
    gateway,
    gatewayTls,
    console,
    dataFolder: resolve(setting('data', 'PORTICO_DATA') ?? '.portico'),
    workers,
    adminToken: setting('admin-token', 'PORTICO_ADMIN_TOKEN'),
    takeover: switched('takeover', 'PORTICO_TAKEOVER'),
    log,
  }).catch(async error => {
    await demo?.stop()
    throw error
  })

  const watcher = await watchFile(configFile, () => void portico.reload())
  process.on('SIGHUP', () => {
    portico.reopenLogs()
    void watcher.note().then(() => portico.reload())
  })
  const stopped = new Promise<string>(stop => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop(name))
  })

  // Whoever reads that it is ready may send a signal at once, so this comes after everything that listens for one.
  const gatewayUrl = `http://${formatAddress(portico.gateway)}`
  const tlsLine = portico.gatewayTls === null ? '' : `           https://${formatAddress(portico.gatewayTls)}\n`
  const consoleUrl = portico.console === null ? null : `http://${formatAddress(portico.console)}`
  if (env['PORTICO_READY_JSON'] === '1')
    process.stdout.write(
      `${JSON.stringify({
        ready: true,
        gateway: formatAddress(portico.gateway),
        gatewayTls: portico.gatewayTls === null ? null : formatAddress(portico.gatewayTls),
        console: portico.console === null ? null : formatAddress(portico.console),
        pid: process.pid,
      })}\n`,
    )
  else if (demo !== null) process.stdout.write(`${demo.banner(gatewayUrl, consoleUrl ?? '')}\n`)
  else
    process.stdout.write(
      `Portico serves ${configFile}\n  gateway  ${gatewayUrl}\n${tlsLine}${consoleUrl === null ? '' : `  console  ${consoleUrl}\n`}`,
    )

  const signal = await stopped
  // A second signal means that somebody does not want to wait; but one sent to a whole process group also comes again
  // from the launcher at once, and is the same wish.
  const stoppedAt = performance.now()
  for (const name of ['SIGTERM', 'SIGINT'] as const)
    process.on(name, () => {
      if (performance.now() - stoppedAt > sameSignalMs) process.exit(1)
    })
  log('info', 'Stopping: running calls are finished first', { signal })
  watcher.close()
  await portico.stop()
  await demo?.stop()
  return 0
}
