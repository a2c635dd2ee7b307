import { z } from 'zod'
import { checkHost } from './addresses.ts'
import type { Fault } from './paths.ts'

/** Reports what a check of our own found, with its suggestion. */
export const complain = (
  context: z.core.$RefinementCtx,
  { message, suggestion }: Fault,
  path: (string | number)[] = [],
) => context.addIssue({ code: 'custom', message, params: { suggestion }, path })

/** Text that `check` finds nothing wrong with. */
export const checked = (check: (text: string) => Fault | null, description: string) =>
  z
    .string()
    .superRefine((text, context) => {
      const wrong = check(text)
      if (wrong !== null) complain(context, wrong)
    })
    .meta({ description })

/** A whole number in these limits. */
export const count = (minimum: number, maximum: number, description: string) =>
  z.int().min(minimum).max(maximum).meta({ description })

// RFC 9110 §5.6.2 and §5.5
export const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/

/** The name of a header field. */
export const fieldName = z.string().regex(token, 'is not a valid header name')

/** Header fields with lower-case names; a name may stand there once, in whatever case. */
export const lowerCaseFields = (
  fields: Record<string, string>,
  context: z.core.$RefinementCtx,
): Record<string, string> => {
  const lower: Record<string, string> = {}
  for (const [field, value] of Object.entries(fields)) {
    const key = field.toLowerCase()
    if (Object.hasOwn(lower, key)) complain(context, { message: 'is there twice', suggestion: null }, [field])
    lower[key] = value
  }
  return lower
}

/** The value of a header field. */
export const headerValue = z.string().regex(fieldValue, 'has a character that a header cannot hold')

/** The host of a route or a certificate: lower case, checked. */
export const lowerCaseHost = z.string().transform((text, context) => {
  const host = text.toLowerCase()
  const wrong = checkHost(host)
  if (wrong !== null) complain(context, wrong)
  return host
})
