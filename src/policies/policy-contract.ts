import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { GatewayError } from '#base/errors'
import { type PolicyUnit, phases, type UnitContext } from '#gateway/contract'
import { okService, type TestCallInput, testCall, testContext } from './test-call.ts'

export type PolicyContractOptions = {
  /** A config as a user writes it, with as little as possible. */
  config: object
  /** Wrong configs: where the error must be (`headers.set.host`), and what it must say. */
  wrong: readonly { config: unknown; at: string; says: RegExp }[]
  /** A call that passes with `config`. */
  passes?: TestCallInput
  /** A call that is refused, with `refusedConfig` or `config`; absent for policies that never refuse. */
  refused?: TestCallInput
  refusedConfig?: object
  context?: Partial<UnitContext>
}

type JsonSchema = { properties?: Record<string, JsonSchema>; description?: string; additionalProperties?: unknown }

/** Dotted names of the keys that have no description, in all levels. */
const undescribed = (schema: JsonSchema, prefix = ''): string[] =>
  Object.entries(schema.properties ?? {}).flatMap(([key, child]) => [
    ...(child.description ? [] : [prefix + key]),
    ...undescribed(child, `${prefix}${key}.`),
  ])

/** What every policy promises to those who configure it, and to the chain that runs it. */
export const policyContract = (unit: PolicyUnit, options: PolicyContractOptions): void => {
  const { config, wrong, passes = {}, refused, refusedConfig = config } = options
  const build = (raw: object = config) => unit.create(unit.schema.parse(raw), testContext(options.context))

  test(`${unit.name}: has a name in kebab case, a phase and a summary of one sentence`, () => {
    assert.match(unit.name, /^[a-z]+(-[a-z]+)*$/)
    assert.ok(phases.includes(unit.phase))
    assert.match(unit.summary, /^[A-Z][^.!?]*\.$/)
  })

  test(`${unit.name}: the smallest config decodes, and decoding it does not change it`, () => {
    const before = structuredClone(config)
    assert.ok(unit.schema.safeParse(config).success)
    assert.deepEqual(config, before)
  })

  test(`${unit.name}: an unknown key is refused by name`, () => {
    const result = unit.schema.safeParse({ ...config, colour: 'red' })
    assert.equal(result.success, false)
    const issue = result.error?.issues.find(found => found.code === 'unrecognized_keys')
    assert.deepEqual(issue?.code === 'unrecognized_keys' && issue.keys, ['colour'])
  })

  for (const example of wrong)
    test(`${unit.name}: ${JSON.stringify(example.config)} is refused at ${example.at || 'the top'}`, () => {
      const issues = unit.schema.safeParse(example.config).error?.issues ?? []
      const here = issues.filter(issue => issue.path.join('.') === example.at)
      const all = issues.map(issue => `${issue.path.join('.')}: ${issue.message}`).join('\n')
      assert.ok(
        here.some(issue => example.says.test(issue.message)),
        `no error at ${example.at} says ${example.says}:\n${all || 'it was accepted'}`,
      )
    })

  test(`${unit.name}: the schema has a JSON Schema that is closed and describes every key`, () => {
    const schema = z.toJSONSchema(unit.schema, { io: 'input' }) as JsonSchema
    assert.equal(schema.additionalProperties, false)
    assert.deepEqual(undescribed(schema), [])
  })

  test(`${unit.name}: building it touches nothing outside and holds nothing open`, () => {
    const before = process.getActiveResourcesInfo()
    // The context of the test fails when its upstreams or forwarding are used.
    const counters = { take: () => assert.fail('counted while it was built') }
    unit.create(unit.schema.parse(config), { ...testContext(options.context), counters })
    assert.deepEqual(process.getActiveResourcesInfo(), before)
  })

  const { request } = build()
  if (!request) return

  test(`${unit.name}: a call that passes goes on once and at once`, () => {
    let times = 0
    const returned = build().request?.(testCall(passes), call => {
      times++
      okService(call)
    })
    assert.equal(returned, undefined)
    assert.equal(times, 1)
  })

  test(`${unit.name}: what goes wrong behind it reaches the caller unchanged`, async () => {
    const thrown = new Error('thrown behind')
    assert.throws(
      () =>
        build().request?.(testCall(passes), () => {
          throw thrown
        }),
      error => error === thrown,
    )
    const rejected = new Error('rejected behind')
    await assert.rejects(
      async () => build().request?.(testCall(passes), () => Promise.reject(rejected)),
      error => error === rejected,
    )
  })

  if (!refused) return
  test(`${unit.name}: a refused call goes no further`, () => {
    const policy = build(refusedConfig)
    assert.throws(
      () => policy.request?.(testCall(refused), () => assert.fail('the call went on')),
      error => error instanceof GatewayError,
    )
  })
}
