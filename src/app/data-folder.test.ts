import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { UserError } from '#base/errors'
import { adminToken, openDataFolder } from './data-folder.ts'

const temporary = (t: TestContext): string => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-data-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const modeOf = (path: string): number => statSync(path).mode & 0o777

test('the folder is made with those above it, for its owner only', t => {
  const folder = join(temporary(t), 'one', 'two', 'data')
  openDataFolder(folder)
  assert.equal(modeOf(folder), 0o700)
})

test('a folder that is there is kept with its files, and closed for others', t => {
  const folder = join(temporary(t), 'data')
  mkdirSync(folder)
  chmodSync(folder, 0o755)
  writeFileSync(join(folder, 'calls'), 'kept')
  openDataFolder(folder)
  assert.equal(modeOf(folder), 0o700)
  assert.equal(readFileSync(join(folder, 'calls'), 'utf8'), 'kept')
})

test('a place that cannot be a folder is a mistake of the user, told with its path', t => {
  const file = join(temporary(t), 'file')
  writeFileSync(file, '')
  for (const place of [join(file, 'data'), '/proc/portico-data', `${file}\0`])
    assert.throws(
      () => openDataFolder(place),
      (error: unknown) => error instanceof UserError && error.message.startsWith(`Cannot use the data folder ${place}`),
      JSON.stringify(place),
    )
})

test('the token is made once, kept for the owner only, and found again', t => {
  const folder = temporary(t)
  const token = adminToken(folder, undefined)
  assert.match(token, /^[\w-]{32}$/)
  assert.equal(modeOf(join(folder, 'admin-token')), 0o600)
  assert.equal(adminToken(folder, undefined), token)
  assert.equal(adminToken(folder, ''), token)
  assert.notEqual(adminToken(temporary(t), undefined), token)
})

test('a token that is given goes before the kept one and is not written down', t => {
  const folder = temporary(t)
  assert.equal(adminToken(folder, 'given'), 'given')
  assert.throws(() => readFileSync(join(folder, 'admin-token')), { code: 'ENOENT' })
  const kept = adminToken(folder, undefined)
  assert.equal(adminToken(folder, 'given'), 'given')
  assert.equal(adminToken(folder, undefined), kept)
})

test('a token file written by hand is taken without its white space, an empty one is filled', t => {
  const folder = temporary(t)
  const file = join(folder, 'admin-token')
  writeFileSync(file, '  by-hand\n\n')
  assert.equal(adminToken(folder, undefined), 'by-hand')
  writeFileSync(file, '\n')
  const token = adminToken(folder, undefined)
  assert.match(token, /^[\w-]{32}$/)
  assert.equal(adminToken(folder, undefined), token)
})

test('a token file that cannot be read is not silently replaced', t => {
  const folder = temporary(t)
  mkdirSync(join(folder, 'admin-token'))
  assert.throws(
    () => adminToken(folder, undefined),
    (error: unknown) => error instanceof UserError && /^Cannot read .*admin-token: /.test(error.message),
  )
})
