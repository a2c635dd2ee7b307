import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { watchFile } from './watch-file.ts'

const temporary = (t: TestContext): string => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-watch-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Counts the changes of a file, and resolves when there were so many. The watcher alone would let the program end. */
const watched = async (t: TestContext, file: string) => {
  let count = 0
  let wake = (): void => {}
  const watcher = await watchFile(file, () => {
    count++
    wake()
  })
  t.after(() => watcher.close())
  return {
    close: () => watcher.close(),
    note: () => watcher.note(),
    get count() {
      return count
    },
    reaches: async (wanted: number): Promise<void> => {
      const alive = setInterval(() => {}, 1000)
      while (count < wanted)
        await new Promise<void>(resolve => {
          wake = resolve
        })
      clearInterval(alive)
      assert.equal(count, wanted)
    },
  }
}

/** Resolves when everything that happened to the folder before must have been noticed by other watchers of it. */
const settled = async (t: TestContext, folder: string): Promise<void> => {
  const fence = join(folder, 'fence')
  writeFileSync(fence, '0')
  const watcher = await watched(t, fence)
  writeFileSync(fence, '1')
  await watcher.reaches(1)
  watcher.close()
}

test('a file that is written anew is a change', async t => {
  const file = join(temporary(t), 'portico.yaml')
  writeFileSync(file, 'version: 1')
  const watcher = await watched(t, file)
  writeFileSync(file, 'version: 1 # new')
  await watcher.reaches(1)
  writeFileSync(file, 'version: 1 # newer')
  await watcher.reaches(2)
})

test('a file that is replaced by another is a change, again and again', async t => {
  const folder = temporary(t)
  const file = join(folder, 'portico.yaml')
  writeFileSync(file, '0')
  const watcher = await watched(t, file)
  for (const round of [1, 2, 3]) {
    writeFileSync(join(folder, 'portico.yaml.new'), `${round}`)
    renameSync(join(folder, 'portico.yaml.new'), file)
    await watcher.reaches(round)
  }
})

test('a file that goes and comes back with other content is noticed', async t => {
  const file = join(temporary(t), 'portico.yaml')
  writeFileSync(file, 'old')
  const watcher = await watched(t, file)
  unlinkSync(file)
  await watcher.reaches(1)
  writeFileSync(file, 'new')
  await watcher.reaches(2)
})

test('a mounted folder of which the link is swapped is a change', async t => {
  const folder = temporary(t)
  for (const version of ['..v1', '..v2']) {
    mkdirSync(join(folder, version))
    writeFileSync(join(folder, version, 'portico.yaml'), version)
  }
  symlinkSync('..v1', join(folder, '..data'))
  symlinkSync(join('..data', 'portico.yaml'), join(folder, 'portico.yaml'))
  const watcher = await watched(t, join(folder, 'portico.yaml'))
  symlinkSync('..v2', join(folder, '..data_tmp'))
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
  await watcher.reaches(1)
})

test('a burst of writes is one change', async t => {
  const folder = temporary(t)
  const file = join(folder, 'portico.yaml')
  writeFileSync(file, '0')
  const watcher = await watched(t, file)
  for (let i = 1; i <= 20; i++) writeFileSync(file, `${i}`)
  await watcher.reaches(1)
  await settled(t, folder)
  assert.equal(watcher.count, 1)
})

test('the same content again, and other files beside it, are no change', async t => {
  const folder = temporary(t)
  const file = join(folder, 'portico.yaml')
  writeFileSync(file, 'same')
  const watcher = await watched(t, file)
  writeFileSync(file, 'same')
  writeFileSync(join(folder, 'another.yaml'), 'other')
  await settled(t, folder)
  assert.equal(watcher.count, 0)
  writeFileSync(file, 'different')
  await watcher.reaches(1)
})

test('a closed watcher is silent', async t => {
  const folder = temporary(t)
  const file = join(folder, 'portico.yaml')
  writeFileSync(file, 'old')
  const watcher = await watched(t, file)
  writeFileSync(file, 'new')
  watcher.close()
  await settled(t, folder)
  assert.equal(watcher.count, 0)
})

test('a folder that is not there cannot be watched', async t => {
  await assert.rejects(
    watchFile(join(temporary(t), 'missing', 'portico.yaml'), () => {}),
    { code: 'ENOENT' },
  )
})

test('what was noted before is no change', async t => {
  const folder = temporary(t)
  const file = join(folder, 'portico.yaml')
  writeFileSync(file, 'old')
  const watcher = await watched(t, file)
  writeFileSync(file, 'new')
  await watcher.note()
  await settled(t, folder)
  assert.equal(watcher.count, 0)
  writeFileSync(file, 'newer')
  await watcher.reaches(1)
})
