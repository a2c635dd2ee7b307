import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Checkout, makeCheckout, nodePackage, placeNode } from './checkout.ts'

const npm = (checkout: Checkout, args: string[]): void => {
  execFileSync('npm', [...args, '--no-audit', '--no-fund'], {
    cwd: checkout.folder,
    stdio: 'pipe',
    env: { ...process.env, npm_config_offline: 'true' },
  })
}

const manifest = (packages: string[]): string =>
  JSON.stringify({
    name: 'checkout',
    version: '1.0.0',
    type: 'module',
    optionalDependencies: { [nodePackage]: 'file:vendor/node' },
    dependencies: Object.fromEntries(packages.map(name => [name, `file:vendor/${name}`])),
    devDependencies: { tool: 'file:vendor/tool' },
  })

const addPackage = (checkout: Checkout, name: string, folder: string): void =>
  checkout.write(`${folder}/package.json`, JSON.stringify({ name, version: '1.0.0' }))

/** A checkout whose dependencies are folders beside it, so that the real npm installs them without a network. */
const locked = (t: TestContext): Checkout => {
  const checkout = makeCheckout(t)
  addPackage(checkout, nodePackage, 'vendor/node')
  placeNode(checkout, 'vendor/node')
  for (const name of ['one', 'two', 'tool']) addPackage(checkout, name, `vendor/${name}`)
  checkout.write('src/main.ts', "console.log('started')\n")
  checkout.write('scripts/dev.ts', "console.log('developed')\n")
  checkout.write('package.json', manifest(['one']))
  npm(checkout, ['install', '--package-lock-only'])
  return checkout
}

const modules = (checkout: Checkout): string[] =>
  readdirSync(join(checkout.folder, 'node_modules')).filter(name => !name.startsWith('.'))

test('the first start installs what the lock file says, later ones do not', async t => {
  const checkout = locked(t)
  const first = await checkout.start().ended
  assert.equal(first.stdout, 'started\n', first.stderr)
  assert.match(first.stderr, /^Installing dependencies \(first start, about \d+ s\)…\n$/)
  assert.deepEqual(modules(checkout).sort(), [nodePackage, 'one'].sort())
  const second = await checkout.start().ended
  assert.deepEqual([second.stdout, second.stderr], ['started\n', ''])
})

test('development packages are added when they are first needed and serve a start too', async t => {
  const checkout = locked(t)
  await checkout.start().ended
  const developed = await checkout.start(['--dev', 'scripts/dev.ts']).ended
  assert.equal(developed.stdout, 'developed\n', developed.stderr)
  assert.ok(modules(checkout).includes('tool'))
  assert.equal((await checkout.start().ended).stderr, '')
})

test('a changed lock file is installed again', async t => {
  const checkout = locked(t)
  await checkout.start().ended
  checkout.write('package.json', manifest(['one', 'two']))
  npm(checkout, ['install', '--package-lock-only'])
  const { stdout, stderr } = await checkout.start().ended
  assert.equal(stdout, 'started\n', stderr)
  assert.match(stderr, /^Installing/)
  assert.ok(modules(checkout).includes('two'))
})

test('what a plain npm ci installed is enough', async t => {
  const checkout = locked(t)
  npm(checkout, ['ci'])
  const { stdout, stderr } = await checkout.start(['--dev', 'scripts/dev.ts']).ended
  assert.deepEqual([stdout, stderr], ['developed\n', ''])
})

test('of two first starts one installs and the other waits', async t => {
  const checkout = locked(t)
  const both = await Promise.all([checkout.start().ended, checkout.start().ended])
  assert.deepEqual(
    both.map(({ code, stdout }) => ({ code, stdout })),
    [
      { code: 0, stdout: 'started\n' },
      { code: 0, stdout: 'started\n' },
    ],
  )
  assert.equal(both.filter(({ stderr }) => stderr.includes('Installing')).length, 1)
  assert.deepEqual(readdirSync(join(checkout.folder, '.cache')), [])
})

test('a lock that a dead start left behind is taken over', async t => {
  const checkout = locked(t)
  const dead = Number(execFileSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }))
  const lock = join(checkout.folder, '.cache', 'install.lock')
  mkdirSync(lock, { recursive: true })
  writeFileSync(join(lock, `${encodeURIComponent(hostname())}+${dead}+aa`), '')
  const { stdout, stderr } = await checkout.start().ended
  assert.equal(stdout, 'started\n', stderr)
})

test('a failed installation shows what npm said, what to try, and starts nothing', async t => {
  const checkout = locked(t)
  const lockFile = join(checkout.folder, 'package-lock.json')
  const lock = JSON.parse(readFileSync(lockFile, 'utf8'))
  lock.packages['node_modules/far-away'] = { version: '1.0.0', integrity: `sha512-${'A'.repeat(86)}==` }
  lock.packages[''].dependencies['far-away'] = '1.0.0'
  const json = JSON.parse(manifest(['one']))
  json.dependencies['far-away'] = '1.0.0'
  checkout.write('package.json', JSON.stringify(json))
  writeFileSync(lockFile, JSON.stringify(lock))
  const { code, stdout, stderr } = await checkout.start().ended
  assert.equal(code, 1)
  assert.equal(stdout, '')
  assert.match(stderr, /far-away/)
  assert.match(stderr, /npm said:\n\n[\s\S]*npm error code ENOTCACHED/)
  assert.match(stderr, /Check the network connection/)
  assert.match(stderr, /npm ci --omit=dev/)
})
