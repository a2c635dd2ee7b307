import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { checkRooms } from './check-rooms.ts'
import { findImports } from './room-imports.ts'

const law = {
  rooms: {
    base: { floor: 0, may: [] },
    http: { floor: 1, may: [] },
    gateway: { floor: 3, may: ['http'] },
    policies: { floor: 4, may: ['http', 'gateway/contract'], units: true, list: 'index.ts' },
    ai: { floor: 4, may: ['http', 'gateway/contract'] },
  },
  maximumLines: 5,
  maximumTestLines: 8,
  exceptions: { imports: [] as object[], sizes: [] as object[], cycles: [] as object[] },
}

type Tree = Record<string, string>

const house: Tree = {
  'src/base/errors.ts': '',
  'src/http/server.ts': "import { x } from '#base/errors'\nimport { y } from './http1/read.ts'\n",
  'src/http/http1/read.ts': "import type { S } from '../server.ts'\n",
  'src/gateway/contract.ts': "import { x } from '#http/server'\n",
  'src/gateway/compile.ts': '',
  'src/policies/index.ts': "import { cors } from './cors/index.ts'\n",
  'src/policies/cors/index.ts': "import { c } from '#gateway/contract'\nimport { e } from '#policies/edits'\n",
  'src/policies/edits.ts': "import { join } from 'node:path'\nimport { z } from 'zod'\n",
  'src/ai/handler.ts': '',
}

const check = (t: TestContext, changes: Tree, exceptions: Partial<typeof law.exceptions> = {}): string[] => {
  const root = mkdtempSync(join(tmpdir(), 'portico-rooms-'))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  const rules = JSON.stringify({ ...law, exceptions: { ...law.exceptions, ...exceptions } })
  for (const [path, text] of Object.entries({ 'rooms.json': rules, ...house, ...changes })) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return checkRooms(root)
}

const importing = (specifier: string): string => `import { x } from '${specifier}'\n`

test('a house in order has nothing to complain of', t => {
  assert.deepEqual(check(t, {}), [])
})

const wrongHouses: { name: string; changes: Tree; says: string[] }[] = [
  {
    name: 'a room that imports a higher floor',
    changes: { 'src/http/up.ts': `\n${importing('#gateway/compile')}` },
    says: ['src/http/up.ts:2 http may not import gateway/compile (rooms.json)'],
  },
  {
    name: 'a type counts like a value',
    changes: { 'src/http/up.ts': "import type { x } from '#gateway/compile'\n" },
    says: ['src/http/up.ts:1 http may not import gateway/compile (rooms.json)'],
  },
  {
    name: 'a unit that imports another room of its floor',
    changes: { 'src/policies/cors/ask.ts': importing('#ai/handler') },
    says: ['src/policies/cors/ask.ts:1 policies/cors may not import ai/handler (rooms.json)'],
  },
  {
    name: 'a dynamic import and a re-export',
    changes: {
      'src/ai/x.ts': `export { x } from '#policies/edits'\nconst a = await ${'import'}('#policies/edits')\n`,
    },
    says: [
      'src/ai/x.ts:1 ai may not import policies/edits (rooms.json)',
      'src/ai/x.ts:2 ai may not import policies/edits (rooms.json)',
    ],
  },
  {
    name: 'a statement over several lines',
    changes: { 'src/ai/x.ts': "import {\n  x,\n} from '#gateway/compile'\n" },
    says: ['src/ai/x.ts:1 ai may not import gateway/compile (rooms.json)'],
  },
  {
    name: 'a door that is not open',
    changes: { 'src/policies/cors/x.ts': importing('#gateway/compile') },
    says: ['src/policies/cors/x.ts:1 policies/cors may not import gateway/compile (rooms.json)'],
  },
  {
    name: 'a sibling unit',
    changes: {
      'src/policies/index.ts': importing('./cors/index.ts') + importing('./limit/index.ts'),
      'src/policies/limit/index.ts': importing('../cors/index.ts'),
    },
    says: ['src/policies/limit/index.ts:1 policies/limit may not import its sibling cors'],
  },
  {
    name: 'a unit that the list does not know',
    changes: { 'src/policies/limit/index.ts': '' },
    says: ['src/policies/index.ts:1 does not list limit'],
  },
  {
    name: 'a unit without a door',
    changes: { 'src/policies/limit/limit.ts': '' },
    says: ['src/policies/limit:1 has no index.ts'],
  },
  {
    name: 'a relative path out of the room',
    changes: { 'src/ai/x.ts': importing('../http/server.ts') },
    says: ['src/ai/x.ts:1 leaves its room by ../http/server.ts: write #http/server'],
  },
  {
    name: 'a door used from inside',
    changes: { 'src/ai/x.ts': importing('#ai/handler') },
    says: ['src/ai/x.ts:1 stays in its room: write #ai/handler as a relative path'],
  },
  {
    name: 'a file that is not there',
    changes: { 'src/ai/x.ts': importing('#ai/nothing') },
    says: ['src/ai/x.ts:1 #ai/nothing does not exist'],
  },
  {
    name: 'a folder that is no room',
    changes: { 'src/attic/x.ts': '' },
    says: ['src/attic/x.ts:1 attic is not a room (rooms.json)'],
  },
  {
    name: 'a cycle',
    changes: {
      'src/ai/a.ts': importing('./b.ts'),
      'src/ai/b.ts': importing('./c.ts'),
      'src/ai/c.ts': importing('./a.ts'),
    },
    says: ['src/ai/a.ts:1 imports itself: src/ai/a.ts → src/ai/b.ts → src/ai/c.ts → src/ai/a.ts'],
  },
  {
    name: 'a long file',
    changes: { 'src/ai/long.ts': '\n'.repeat(6) },
    says: ['src/ai/long.ts:6 6 lines, at most 5 (rooms.json)'],
  },
  {
    name: 'a name that says nothing',
    changes: { 'src/ai/utils.ts': '', 'src/ai/types/x.ts': '' },
    says: [
      'src/ai/types/x.ts:1 types says nothing about what is in it: name the noun',
      'src/ai/utils.ts:1 utils.ts says nothing about what is in it: name the noun',
    ],
  },
  {
    name: 'default exports, enums and namespaces',
    changes: { 'src/ai/x.ts': 'export default 1\nexport enum A {}\nconst enum B {}\nnamespace C {}\n' },
    says: [
      'src/ai/x.ts:1 has a default export: name it',
      ...[2, 3, 4].map(line => `src/ai/x.ts:${line} uses enum or namespace: a union of strings, or a module`),
    ],
  },
]

for (const { name, changes, says } of wrongHouses)
  test(`reports ${name}`, t => assert.deepEqual(check(t, changes), says))

test('tests may be longer and may use what stands on lower floors', t => {
  const text = importing('#gateway/compile') + '\n'.repeat(6)
  assert.deepEqual(check(t, { 'src/policies/cors/index.test.ts': text }), [])
  assert.equal(check(t, { 'src/http/server.test.ts': importing('#gateway/compile') }).length, 1)
})

test('an exception with a reason is honoured', t => {
  const changes = { 'src/http/up.ts': importing('#gateway/compile'), 'src/ai/long.ts': '\n'.repeat(7) }
  const reason = 'because of a reason'
  const imports = [{ from: 'src/http/up.ts', to: '#gateway/compile', reason }]
  const sizes = [{ file: 'src/ai/long.ts', maximumLines: 7, reason }]
  assert.deepEqual(check(t, changes, { imports, sizes }), [])
})

test('an exception that nothing needs is reported', t => {
  const reason = 'because of a reason'
  const found = check(
    t,
    {},
    {
      imports: [{ from: 'src/http/server.ts', to: '#gateway/compile', reason }],
      sizes: [{ file: 'src/http/server.ts', maximumLines: 9, reason }],
      cycles: [{ file: 'src/http/gone.ts', reason }],
    },
  )
  assert.equal(found.length, 3)
  for (const line of found) assert.match(line, /^rooms\.json:1 .* is not needed$/)
})

test('an exception without a reason makes rooms.json invalid', t => {
  assert.throws(() => check(t, {}, { sizes: [{ file: 'src/http/server.ts', maximumLines: 9, reason: '' }] }))
})

test('imports are told from other text', () => {
  const text = [
    "import 'node:net'",
    "import type { A } from './a.ts'",
    "import { type B } from './b.ts'",
    "import { type C, d } from './c.ts'",
    "export const from = 'not this'",
    "// import('./comment.ts')",
    "  import x from './indented.ts'",
    "export * from './all.ts'",
  ].join('\n')
  assert.deepEqual(
    findImports(text).map(({ specifier, line, typeOnly }) => `${line} ${specifier}${typeOnly ? ' type' : ''}`),
    ['1 node:net', '2 ./a.ts type', '3 ./b.ts type', '4 ./c.ts', '8 ./all.ts'],
  )
})
