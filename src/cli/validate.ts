import { readConfiguration } from '#app/configuration'
import { formatConfigError } from '#config/errors'

export const help = `portico validate FILE

  Checks a config file without starting anything. Exits with 0 when it is valid, and with 1 after
  listing every error with its line, column and path.`

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

/** `portico validate FILE`; the exit code. */
export const run = async (args: string[]): Promise<number> => {
  const [file, ...more] = args
  if (file === undefined || more.length > 0 || file.startsWith('-')) {
    process.stderr.write('portico validate takes one argument, the config file: portico validate portico.yaml\n')
    return 1
  }
  const result = readConfiguration(file, process.env, 1)
  if (!result.ok) {
    process.stderr.write(result.errors.map(error => `${formatConfigError(error)}\n`).join(''))
    return 1
  }
  for (const warning of result.warnings) process.stderr.write(`${formatConfigError(warning)} (a warning)\n`)
  const { services, consumers } = result.document
  const routes = services.reduce((sum, service) => sum + service.routes.length, 0)
  const contents = [
    counted(services.length, 'service'),
    counted(routes, 'route'),
    counted(consumers.length, 'consumer'),
  ]
  process.stdout.write(`${file} is valid: ${contents.join(', ')}\n`)
  return 0
}
