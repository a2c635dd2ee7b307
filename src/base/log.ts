/** Severity of a log line; lines below the chosen level are not written. */
export const logLevels = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof logLevels)[number]

export type Log = (level: LogLevel, message: string, details?: Record<string, unknown>) => void

/**
 * A log on standard error: one line per event, readable text for a person at a terminal, JSON for everything else.
 * Details must not hold secrets. Calls are logged elsewhere (src/analytics); this is for the life of the program.
 */
export const createLog = (level: LogLevel, human: boolean): Log => {
  const lowest = logLevels.indexOf(level)
  return (severity, message, details = {}) => {
    if (logLevels.indexOf(severity) < lowest) return
    const line = human
      ? `${severity === 'info' ? '' : `${severity}: `}${message}${textOf(details)}`
      : JSON.stringify({ time: new Date().toISOString(), level: severity, message, ...details })
    process.stderr.write(`${line}\n`)
  }
}

const textOf = (details: Record<string, unknown>): string => {
  const entries = Object.entries(details)
  return entries.length === 0 ? '' : ` (${entries.map(([name, value]) => `${name}: ${String(value)}`).join(', ')})`
}
