import { enableCompileCache } from 'node:module'
import { UserError } from './base/errors.ts'
import { version } from './base/version.ts'

type Command = { help: string; run(args: string[]): Promise<number> }

/** Every command is a file of src/cli, loaded only when it is asked for. */
const commands: Record<string, { summary: string; load: () => Promise<Command> }> = {
  start: { summary: 'serve the gateway and the console', load: () => import('./cli/start.ts') },
  validate: { summary: 'check a config file', load: () => import('./cli/validate.ts') },
  explain: { summary: 'tell which route a request takes, and why', load: () => import('./cli/explain.ts') },
  calls: { summary: 'show the call log', load: () => import('./cli/calls.ts') },
  schema: { summary: 'print the JSON Schema of portico.yaml', load: () => import('./cli/schema.ts') },
}

const overview = `Portico: the front door of a company's services and AI models

  portico COMMAND [options]

${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}`)
  .join('\n')}

  portico COMMAND --help tells more.`

const nearest = async (word: string): Promise<string> => {
  const { suggest } = await import('./config/suggest.ts')
  const match = suggest(word, Object.keys(commands))
  return match === null ? '.' : `; did you mean ${match}?`
}

const run = async ([name, ...args]: string[]): Promise<number> => {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(`${overview}\n`)
    return name === undefined ? 2 : 0
  }
  if (name === '--version' || name === '-v') {
    process.stdout.write(`portico ${version} (Node ${process.versions.node})\n`)
    return 0
  }
  const entry = commands[name]
  if (entry === undefined)
    throw new UserError(`There is no command ${JSON.stringify(name)}${await nearest(name)} See portico --help`, 2)
  const command = await entry.load()
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(`${command.help}\n`)
    return 0
  }
  return command.run(args)
}

enableCompileCache()
try {
  process.exitCode = await run(process.argv.slice(2))
  // Whatever still holds the loop (a child's pipe, a watcher) must not keep a finished command alive.
  if (process.argv[2] === 'start') process.exit()
} catch (error) {
  if (error instanceof UserError) {
    process.stderr.write(`${error.message}\n`)
    process.exit(error.exitCode)
  }
  process.stderr.write(
    `Portico failed in a way it should not: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  )
  process.exit(70)
}
