#!/usr/bin/env node
// Finds (or installs) the pinned Node and runs src/main.ts under it. Plain JavaScript for Node 20 and newer, because
// this is the only part of the program that runs before the pinned Node is known to exist.
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { followNpm } from './follow-npm.js'
import { install } from './install.js'
import { pinnedNode } from './pinned-node.js'
import { runUnder } from './run-under.js'

/** The first Node that runs TypeScript without a flag and without a warning. */
const oldestUsable = [24, 12]

const root = dirname(dirname(fileURLToPath(import.meta.url)))

const stop = message => {
  process.stderr.write(`portico: ${message}\n`)
  process.exit(1)
}

const usable = version => {
  const [major, minor] = version.split('.').map(Number)
  return major > oldestUsable[0] || (major === oldestUsable[0] && minor >= oldestUsable[1])
}

// During an installation this process ends; later it tells the program, which drains.
let end = () => process.exit(143)
followNpm(root, () => end())

const given = process.argv.slice(2)
const dev = given[0] === '--dev'
if (dev && given[1] === undefined) stop('--dev needs a file to run')
const script = dev ? resolve(root, given[1]) : join(root, 'src', 'main.ts')
const args = dev ? given.slice(2) : given

if (Number(process.versions.node.split('.')[0]) < 20)
  stop(`needs Node 20 or newer to start, this is ${process.versions.node}`)

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const pinned = pinnedNode(root, manifest)

try {
  await install({ root, mode: dev ? 'dev' : 'start' })
} catch (error) {
  stop(error.message)
}

if (pinned?.version === process.versions.node || (!pinned?.exists() && usable(process.versions.node))) {
  end = () => process.kill(process.pid, 'SIGTERM')
  process.argv = [process.execPath, script, ...args]
  await import(pathToFileURL(script).href)
} else if (pinned?.exists()) {
  const child = runUnder(pinned.path, script, args)
  end = () => child.kill('SIGTERM')
} else {
  stop(
    `no Node ${oldestUsable.join('.')} or newer for ${process.platform}-${process.arch}: install one and start again ` +
      `(this is ${process.versions.node})`,
  )
}
