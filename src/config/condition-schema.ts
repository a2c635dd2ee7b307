import { z } from 'zod'
import { patternProblem } from '#base/pattern/pattern'
import type { ConditionDocument, PlainCondition } from './document.ts'
import { checked, complain, fieldName } from './schema-parts.ts'

/** Text of a regular expression that can be searched in linear time. */
export const patternText = (description: string) =>
  checked(text => {
    const message = patternProblem(text)
    return message === null ? null : { message: `the pattern ${message}`, suggestion: null }
  }, description)

const oneOf = (value: z.ZodString) => z.array(value).min(1).max(100)

const forms = (value: z.ZodString) => ({
  prefix: value.min(1).optional().meta({ description: 'Beginning of the value' }),
  suffix: value.min(1).optional().meta({ description: 'End of the value' }),
  regex: patternText(
    'Regular expression found in the value; linear time, so no look-around or back references',
  ).optional(),
})

const keysOf = (form: object): string[] =>
  Object.entries(form).flatMap(([key, value]) => (value === undefined ? [] : [key]))

const exactlyOne = (form: object, context: z.core.$RefinementCtx): void => {
  const keys = keysOf(form)
  if (keys.length === 1) return
  const message =
    keys.length === 0 ? 'says nothing: give prefix, suffix, regex or not' : `has ${keys.join(' and ')}: give one`
  complain(context, { message, suggestion: null })
}

type Written =
  | string
  | string[]
  | { prefix?: string | undefined; suffix?: string | undefined; regex?: string | undefined }

const plainOf = (written: Written): PlainCondition => {
  if (typeof written === 'string') return written
  if (Array.isArray(written)) return { in: written }
  const { prefix, suffix, regex } = written
  if (prefix !== undefined) return { prefix }
  return suffix !== undefined ? { suffix } : { regex: regex ?? '' }
}

/** What the value of a header, parameter or cookie must be. */
const condition = (value: z.ZodString) => {
  const inner = z.union([value, oneOf(value), z.strictObject(forms(value)).superRefine(exactlyOne)])
  const not = inner.optional().meta({ description: 'What it must not be; "*" means that it must be absent' })
  const whole = z.strictObject({ ...forms(value), not }).superRefine(exactlyOne)
  return z.union([value, oneOf(value), whole]).transform((written): ConditionDocument => {
    if (typeof written === 'object' && !Array.isArray(written) && written.not !== undefined)
      return { not: plainOf(written.not) }
    return plainOf(written as Written)
  })
}

const lowerCaseNames = (
  conditions: Record<string, ConditionDocument>,
  context: z.core.$RefinementCtx,
): Record<string, ConditionDocument> => {
  const lower: Record<string, ConditionDocument> = {}
  for (const [name, one] of Object.entries(conditions)) {
    const key = name.toLowerCase()
    if (Object.hasOwn(lower, key)) complain(context, { message: 'is there twice', suggestion: null }, [name])
    lower[key] = one
  }
  return lower
}

const fieldText = z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'has a character that a header cannot hold')
const howToWrite = ': exact value, * for any, a list, or { prefix | suffix | regex | not }'

/** Conditions on header fields, by name. */
export const headerConditions = z
  .record(fieldName, condition(fieldText))
  .transform(lowerCaseNames)
  .prefault({})
  .meta({ description: `Header fields a request must have${howToWrite}` })

/** Conditions on parameters of the query, by name. */
export const queryConditions = z
  .record(z.string().min(1), condition(z.string()))
  .prefault({})
  .meta({ description: `Query parameters a request must have${howToWrite}` })

// RFC 6265 §4.1.1: the name of a cookie is a token.
/** Conditions on cookies, by name. */
export const cookieConditions = z
  .record(fieldName, condition(fieldText))
  .prefault({})
  .meta({ description: `Cookies a request must have${howToWrite}` })
