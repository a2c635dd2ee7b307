// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how a config file writes its variables
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stringify } from 'yaml'
import { quickValues } from './quick-values.ts'
import { readSource } from './source.ts'
import { readValues } from './values.ts'

const surroundings = {
  env: { NAME: 'orders', NUMBER: '8080', EMPTY: '' },
  folder: '/',
  readFile: () => 'from a file\n',
}

/** What the full reading gives; undefined when it finds anything wrong. */
const slowly = (text: string): unknown => {
  const source = readSource(text)
  if (source.problems.length > 0) return undefined
  const { value, problems, complete } = readValues(source, surroundings)
  return complete && problems.length === 0 ? value : undefined
}

/** Whatever the quick reading gives is what the full one gives; returns whether it gave anything. */
const agrees = (text: string): boolean => {
  const quick = quickValues(text, surroundings)
  if (quick === undefined) return false
  assert.deepEqual(quick, slowly(text), text)
  return true
}

test('everyday files are read quickly, and mean the same', () => {
  const files = [
    'version: 1\nservices:\n  - name: a\n    upstream: { targets: [{ url: "http://a:1" }] }\n    routes:\n    - path: /\n',
    '# first\nversion: 1   # one\n\nservices: []\nsettings:\n  policies:\n    cors: {}\n    x: false\n',
    "a: 'it''s'\nb: \"q\\\"\\u00e9\\n\"\nc: ~\nd: null\n",
    'a:\nb: 12\nc: 10s\nd: 1.2.3.4\ne: http://x/y:z?q#f\nf: a # c\ng: "a" # c\n',
    'list:\n- a\n- b: 1\n  c: 2\n-\n  d: 3\n- - 1\n  - 2\n- [x, {y: z, "q":1}]\n- ""\n',
    'x: ${NAME}\ny: "${NUMBER}"\nz: ${NUMBER}\nw: pre-${NAME}\nv: $${NAME}\nu: ${EMPTY}\nt: ${file:x}\n',
    '{"version": 1, "a": ["${NUMBER}", {"b": null}], "c": "\\u00e9\\ud83d\\ude00", "d:": 1.5}',
  ]
  for (const text of files) assert.ok(agrees(text), `read slowly: ${text}`)
})

test('what is unusual or wrong is left to the full reading', () => {
  const files = [
    'a: 1\na: 2\n',
    '{"a": 1, "a": 2}',
    '{"a": {"b:": 1, "b:": 1}}',
    '{"<<": {}}',
    '{"__proto__": {}}',
    'a: &x 1\nb: *x\n',
    'a: |\n  text\n',
    'a: one\n  two\n',
    'a: "one\n  two"\n',
    'a: b: c\n',
    'a: 0x1F\nb: 1e3\n',
    'a: ${MISSING}\n',
    'a: "${MISSING}"\n',
    '{"a": "${MISSING}"}',
    '--- \na: 1\n',
    'a: 1\n---\nb: 2\n',
    '- a\n',
    'a:\n\t- b\n',
    'null: 1\n',
    'a: [1,\n 2]\n',
    'a: !!str 1\n',
    ' a: 1\nb: 2\n',
    'a:\n   b: 1\n  c: 2\n',
    '- a: 1\n b: 2\n',
    'a: "x" y\n',
    "a: 'x'y\n",
    'a: [b] c\n',
    'a: {b: c\n',
    'a: [b #c]\n',
    'text\n',
    'a: 1\ntext\n',
    '',
    '# nothing\n',
  ]
  for (const text of files) assert.equal(quickValues(text, surroundings), undefined, text)
})

const seeded = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const scalars = [
  ...[
    'a',
    'true',
    'True',
    'null',
    '~',
    '',
    '1',
    '01',
    '-1',
    '1.5',
    '.5',
    '1e3',
    '0x1f',
    '0o7',
    '.inf',
    '-.INF',
    '.nan',
  ],
  ...[
    'a b',
    'a: b',
    'a:b',
    'a #b',
    'a#b',
    '#a',
    '- a',
    '-a',
    '?a',
    ':a',
    '[a',
    'a]',
    '{a}',
    '"a',
    "it's",
    '&a',
    '*a',
    '!a',
  ],
  ...[
    '|',
    '>',
    '%a',
    '@a',
    '`a',
    'a\nb',
    ' a',
    'a ',
    '\\n',
    'é',
    '😀',
    '10s',
    '1.2.3.4',
    'a,b',
    '...',
    '---',
    '=',
    '<<',
    'yes',
  ],
  ...[0, 1, -1, 1.5, 1e21, 123456789012, true, false, null],
]

test('generated documents, written in many ways, mean the same', () => {
  let quick = 0
  for (let seed = 1; seed <= 1500; seed++) {
    const int = seeded(seed)
    const value = (depth: number): unknown => {
      const kind = int(depth > 4 ? 2 : 6)
      if (kind === 2 || kind === 3) return Array.from({ length: int(4) }, () => value(depth + 1))
      if (kind > 3)
        return Object.fromEntries(
          Array.from({ length: int(4) }, () => [['a', 'b-c', 'd', 'x y', '1'][int(5)], value(depth + 1)]),
        )
      return scalars[int(scalars.length)]
    }
    const given = { version: 1, v: value(0), w: value(0) }
    const width = [20, 80, 0][int(3)] as number
    const text =
      int(4) === 0
        ? JSON.stringify(given, null, int(3))
        : stringify(given, {
            lineWidth: width,
            indent: 1 + int(4),
            indentSeq: int(2) === 0,
            collectionStyle: (['any', 'flow', 'block'] as const)[int(3)],
            defaultStringType: (['PLAIN', 'QUOTE_DOUBLE', 'QUOTE_SINGLE'] as const)[int(3)],
          })
    if (agrees(text)) quick++
  }
  assert.ok(quick > 400, `only ${quick} were read quickly`)
})

test('files with something knocked out, put in or doubled never mean something else', () => {
  const base = [
    'version: 1\nservices:\n  - name: a # x\n    upstream: { targets: [{ url: "http://a:1" }, { url: \'b\' }] }\n    routes:\n    - path: /\n      methods: [GET, POST]\n',
    '{"version": 1, "a": [1, "x:y", {"b": null}], "c": "d"}',
    'a:\n- b: 1\n  c:\n  - - x\n    - y: "z"\n- d\ne: f g\nh: [i, "j"]\n',
  ]
  const pieces = [
    ' ',
    '\n',
    ':',
    '- ',
    '"',
    "'",
    '{',
    '}',
    '[',
    ']',
    ',',
    '#',
    ' #',
    '\\',
    '&',
    '*',
    '|',
    '?',
    '\n  ',
    '\n-',
    'a',
    '1',
    '.',
    '~',
  ]
  let quick = 0
  for (let seed = 1; seed <= 6000; seed++) {
    const int = seeded(seed)
    let text = base[int(base.length)] as string
    for (let edits = 1 + int(3); edits > 0; edits--) {
      const at = int(text.length)
      const kind = int(3)
      if (kind === 0) text = text.slice(0, at) + text.slice(at + 1 + int(3))
      else if (kind === 1) text = text.slice(0, at) + pieces[int(pieces.length)] + text.slice(at)
      else text = text.slice(0, at) + text.slice(Math.max(0, at - int(12)))
    }
    if (agrees(text)) quick++
  }
  assert.ok(quick > 500, `only ${quick} were read quickly`)
})
