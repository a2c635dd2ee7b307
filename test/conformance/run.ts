import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { endAll } from '../../bench/programs.ts'
import { root } from '../harness.ts'
import { closeGates } from './judge-response.ts'
import { caddy } from './peers/caddy.ts'
import { haproxy } from './peers/haproxy.ts'
import { nginx } from './peers/nginx.ts'
import type { Peer } from './peers/peer.ts'
import { portico } from './peers/portico.ts'
import { asMarkdown, summary, type Verdict } from './report.ts'
import { type Item, items, withPeer } from './suite.ts'

const peers: readonly Peer[] = [portico, nginx, haproxy, caddy]

const help = `npm run conformance -- [--peer NAME]… [--only ID]… [--json] [--write]

  Plays the conformance cases at a proxy in front of a scripted origin, and judges it by what the standards ask.
  --peer NAME   ${peers.map(({ name }) => name).join(', ')} or all (default: portico)
  --only TEXT   only cases whose id contains this
  --json        every verdict as JSON
  --write       all of them, and the tables into docs/conformance.md`

const runPeer = (peer: Peer, wanted: readonly Item[]): Promise<Verdict[]> => {
  closeGates()
  return withPeer(peer, async place => {
    const verdicts: Verdict[] = []
    for (const item of wanted)
      verdicts.push({ peer: peer.name, item, failure: item.judged ? await item.play(place) : null })
    return verdicts
  })
}

const choose = (names: readonly string[]): Peer[] => {
  const wrong = names.find(name => name !== 'all' && !peers.some(peer => peer.name === name))
  if (wrong !== undefined) throw new Error(`there is no peer ${JSON.stringify(wrong)}:\n${help}`)
  return peers.filter(peer => names.includes('all') || names.includes(peer.name))
}

const main = async (): Promise<boolean> => {
  const { values } = parseArgs({
    options: {
      peer: { type: 'string', multiple: true },
      only: { type: 'string', multiple: true },
      json: { type: 'boolean' },
      write: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help === true) {
    process.stdout.write(`${help}\n`)
    return true
  }
  const chosen = choose(values.write === true ? ['all'] : (values.peer ?? ['portico']))
  const wanted = items.filter(({ id }) => values.only === undefined || values.only.some(text => id.includes(text)))
  const verdicts: Verdict[] = []
  for (const peer of chosen) {
    const own = await runPeer(peer, wanted)
    verdicts.push(...own)
    if (values.json !== true) process.stdout.write(`${summary(`${peer.name} ${peer.version()}`, own)}\n`)
  }
  if (values.json === true)
    process.stdout.write(
      `${JSON.stringify(
        verdicts.map(({ peer, item, failure }) => ({
          ...{ peer, area: item.area, id: item.id, section: item.section, level: item.level },
          verdict: item.judged ? (failure === null ? 'passed' : 'failed') : 'not judged',
          ...(failure !== null && { failure }),
        })),
        null,
        1,
      )}\n`,
    )
  if (values.write === true) {
    const file = join(root, 'docs/conformance.md')
    const [intro] = readFileSync(file, 'utf8').split('## Results') as [string]
    writeFileSync(
      file,
      intro +
        asMarkdown(
          chosen.map(peer => ({ name: peer.name, version: peer.version() })),
          verdicts,
        ),
    )
  }
  return !verdicts.some(({ peer, item, failure }) => peer === 'portico' && item.level === 'MUST' && failure !== null)
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => void endAll().then(() => process.exit(130)))
try {
  if (!(await main())) process.exitCode = 1
} catch (error) {
  process.stderr.write(`conformance: ${(error as Error).message}\n`)
  process.exitCode = 1
} finally {
  await endAll()
}
