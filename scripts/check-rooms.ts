import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findCycles } from './room-cycles.ts'
import { type House, type Law, placeOf, readHouse, resolveImport, type SourceFile } from './room-law.ts'

const forbiddenNames = /^(?:utils?|helpers?|common|managers?|types?|misc)$/

const isTest = (path: string): boolean => path.endsWith('.test.ts')

/** Tables of cases are long and still easy to read. */
const usualSize = (law: Law, { path }: SourceFile): number => (isTest(path) ? law.maximumTestLines : law.maximumLines)

/** A test may also use what stands on a lower floor, to have the real thing instead of a double. */
const allowed = (law: Law, from: SourceFile, target: string): boolean => {
  const here = placeOf(law, from.path)
  const there = placeOf(law, target)
  const door = target.replace(/^src\//, '').replace(/\.ts$/, '')
  const room = law.rooms[here.room]
  if (!room || there.room === 'base' || there.room === here.room) return true
  if (isTest(from.path) && (law.rooms[there.room]?.floor ?? 99) < room.floor) return true
  return room.may.includes(there.room) || room.may.includes(door)
}

const checkImport = (house: House, file: SourceFile, specifier: string): string | null => {
  const { law, root } = house
  const target = resolveImport(file.path, specifier)
  if (target === null) return null
  if (!existsSync(join(root, target))) return `${specifier} does not exist`
  const here = placeOf(law, file.path)
  const there = placeOf(law, target)
  if (specifier.startsWith('.') && target.startsWith('src/') && here.room !== there.room && file.path !== 'src/main.ts')
    return `leaves its room by ${specifier}: write #${target.slice(4, -3)}`
  if (specifier.startsWith('#') && here.room !== '' && here.room === there.room && here.unit === there.unit)
    return `stays in its room: write ${specifier} as a relative path`
  if (here.unit !== '' && there.room === here.room && there.unit !== '' && there.unit !== here.unit)
    return `${here.room}/${here.unit} may not import its sibling ${there.unit}`
  if (!allowed(law, file, target)) {
    const name = here.unit === '' ? here.room : `${here.room}/${here.unit}`
    return `${name} may not import ${target.slice(4, -3)} (rooms.json)`
  }
  return null
}

const checkFile = (house: House, file: SourceFile): string[] => {
  const { law } = house
  const found: string[] = []
  const say = (line: number, message: string): void => void found.push(`${file.path}:${line} ${message}`)
  const here = placeOf(law, file.path)

  if (here.room !== '' && !law.rooms[here.room]) say(1, `${here.room} is not a room (rooms.json)`)
  for (const part of file.path.split('/'))
    if (forbiddenNames.test(basename(part, '.ts'))) say(1, `${part} says nothing about what is in it: name the noun`)

  const size =
    law.exceptions.sizes.find(exception => exception.file === file.path)?.maximumLines ?? usualSize(law, file)
  if (file.lines > size) say(size + 1, `${file.lines} lines, at most ${size} (rooms.json)`)

  for (const { specifier, line } of file.imports) {
    if (law.exceptions.imports.some(exception => exception.from === file.path && exception.to === specifier)) continue
    const wrong = checkImport(house, file, specifier)
    if (wrong !== null) say(line, wrong)
  }
  for (const [index, text] of file.text.split('\n').entries()) {
    if (/^export default\b/.test(text)) say(index + 1, 'has a default export: name it')
    if (/^(?:export )?(?:declare )?(?:const )?(?:enum|namespace) \w/.test(text))
      say(index + 1, 'uses enum or namespace: a union of strings, or a module')
  }
  return found
}

/** Every folder of units is imported by the list of its room. */
const checkLists = ({ law, files }: House): string[] =>
  Object.entries(law.rooms).flatMap(([room, { list, units }]) => {
    const members = files.filter(file => placeOf(law, file.path).room === room)
    if (!units || list === undefined || members.length === 0) return []
    const listPath = `src/${room}/${list}`
    const listed = files
      .find(file => file.path === listPath)
      ?.imports.map(each => resolveImport(listPath, each.specifier))
    const names = new Set(members.map(file => placeOf(law, file.path).unit).filter(unit => unit !== ''))
    return [...names].flatMap(unit => {
      const door = `src/${room}/${unit}/index.ts`
      if (!members.some(file => file.path === door)) return [`src/${room}/${unit}:1 has no index.ts`]
      return listed?.includes(door) ? [] : [`${listPath}:1 does not list ${unit}`]
    })
  })

/** An exception that nothing needs any more would hide the next mistake. */
const checkExceptions = ({ law, files }: House): string[] => {
  const byPath = new Map(files.map(file => [file.path, file]))
  const { imports, sizes, cycles } = law.exceptions
  return [
    ...imports
      .filter(({ from, to }) => !byPath.get(from)?.imports.some(each => each.specifier === to))
      .map(({ from, to }) => `rooms.json:1 exception ${from} → ${to} is not needed`),
    ...sizes
      .filter(({ file }) => {
        const found = byPath.get(file)
        return found === undefined || found.lines <= usualSize(law, found)
      })
      .map(({ file }) => `rooms.json:1 size exception of ${file} is not needed`),
    ...cycles.filter(({ file }) => !byPath.has(file)).map(({ file }) => `rooms.json:1 exception ${file} is not needed`),
  ]
}

/** Everything in the checkout at `root` that breaks the law of rooms.json, one line each, like a compiler. */
export const checkRooms = (root: string): string[] => {
  const house = readHouse(root)
  const known = new Set(house.law.exceptions.cycles.map(exception => exception.file))
  return [
    ...house.files.flatMap(file => checkFile(house, file)),
    ...findCycles(house.files)
      .filter(cycle => !cycle.some(path => known.has(path)))
      .map(cycle => `${cycle[0]}:1 imports itself: ${[...cycle, cycle[0]].join(' → ')}`),
    ...checkLists(house),
    ...checkExceptions(house),
  ]
}

if (import.meta.main) {
  const wrong = checkRooms(fileURLToPath(new URL('..', import.meta.url)))
  for (const line of wrong) console.error(line)
  process.exitCode = wrong.length === 0 ? 0 : 1
}
