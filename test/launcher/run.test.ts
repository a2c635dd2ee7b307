import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Checkout, makeCheckout, nodePackage, placeNode } from './checkout.ts'

const program = `
const words: string[] = process.argv.slice(2)
process.exitCode = words[0] === 'fail' ? 7 : 0
if (words[0] === 'serve') {
  const alive = setInterval(() => {}, 1000)
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    process.on(signal, () => {
      console.log('got ' + signal)
      if (signal !== 'SIGHUP') clearInterval(alive)
    })
}
if (words[0] === 'hang') setInterval(() => {}, 1000)
// Last: whoever reads this may send a signal at once.
console.log(JSON.stringify({ pid: process.pid, words }))
`

/** `pinned` is the version package.json asks for: this Node's own means that no second process is needed. */
const installed = (t: TestContext, pinned: string): Checkout => {
  const checkout = makeCheckout(t)
  checkout.write('package.json', JSON.stringify({ type: 'module', optionalDependencies: { [nodePackage]: pinned } }))
  checkout.write('src/main.ts', program)
  placeNode(checkout, `node_modules/${nodePackage}`)
  return checkout
}

test('runs the program under the pinned Node with its arguments, from any folder', async t => {
  const { child, ended } = installed(t, '0.0.1').start(['start', '--config', 'a b.yaml'])
  const { code, stdout } = await ended
  assert.equal(code, 0)
  const { pid, words } = JSON.parse(stdout)
  assert.deepEqual(words, ['start', '--config', 'a b.yaml'])
  assert.notEqual(pid, child.pid)
})

test('needs no second process when it already runs under the pinned Node', async t => {
  const { child, ended } = installed(t, process.versions.node).start(['start'])
  assert.equal(JSON.parse((await ended).stdout).pid, child.pid)
})

test('uses the current Node where npm has no binary for the machine', async t => {
  const checkout = makeCheckout(t)
  checkout.write('package.json', JSON.stringify({ type: 'module' }))
  checkout.write('src/main.ts', program)
  const { code, stdout } = await checkout.start(['start']).ended
  assert.equal(code, 0)
  assert.deepEqual(JSON.parse(stdout).words, ['start'])
})

test('ends with the exit code of the program', async t => {
  assert.equal((await installed(t, '0.0.1').start(['fail']).ended).code, 7)
})

test('--dev runs another file', async t => {
  const checkout = installed(t, '0.0.1')
  checkout.write('scripts/greet.ts', "const name: string = process.argv[2] ?? ''\nconsole.log('hello ' + name)\n")
  assert.equal((await checkout.start(['--dev', 'scripts/greet.ts', 'you']).ended).stdout, 'hello you\n')
})

test('--dev without a file is an error', async t => {
  const { code, stderr } = await installed(t, '0.0.1').start(['--dev']).ended
  assert.equal(code, 1)
  assert.match(stderr, /--dev needs a file/)
})

test('hands signals on and waits for the program to end', async t => {
  const { child, says, ended } = installed(t, '0.0.1').start(['serve'])
  await says(/\{.*\}\n/)
  child.kill('SIGHUP')
  await says(/got SIGHUP/)
  child.kill('SIGTERM')
  const { code, stdout } = await ended
  assert.match(stdout, /got SIGTERM/)
  assert.equal(code, 0)
})

test('dies by the signal that killed the program', async t => {
  const { says, ended } = installed(t, '0.0.1').start(['hang'])
  const [line] = await says(/\{.*\}\n/)
  process.kill(JSON.parse(line).pid, 'SIGKILL')
  const { code, signal } = await ended
  assert.deepEqual({ code, signal }, { code: null, signal: 'SIGKILL' })
})

test('a launcher killed with SIGKILL leaves no program behind: it drains', async t => {
  const { child, says, ended } = installed(t, '0.0.1').start(['serve'])
  await says(/\{.*\}\n/)
  child.kill('SIGKILL')
  assert.match((await ended).stdout, /got SIGTERM/)
})

for (const signal of ['SIGTERM', 'SIGKILL'] as const)
  for (const pinned of ['0.0.1', process.versions.node])
    test(`an npm script killed with ${signal} leaves no program behind (pinned ${pinned})`, async t => {
      const checkout = installed(t, pinned)
      const scripts = { start: 'node bin/portico.js serve' }
      checkout.write(
        'package.json',
        JSON.stringify({ type: 'module', scripts, optionalDependencies: { [nodePackage]: pinned } }),
      )
      const { child, says, ended } = checkout.npm(['start'])
      await says(/\{.*\}\n/)
      child.kill(signal)
      assert.match((await ended).stdout, /got SIGTERM/)
    })
