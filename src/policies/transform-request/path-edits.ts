import { z } from 'zod'
import { GatewayError } from '#base/errors'
import type { Call } from '#gateway/call'
import { encodeBytes } from '#policies/query-string'
import { compileTemplate, templateProblem } from '#policies/value-template'

const dotSegment = /(^|\/)(\.|%2e){1,2}(\/|$)/i

/** RFC 3986 §3.3: what may stand in a path; no query, no fragment, and nothing an origin would resolve away. */
const pathProblem = (path: string): string | null => {
  if (!path.startsWith('/')) return 'must begin with /'
  if (!/^(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9a-fA-F]{2})*$/.test(path))
    return 'holds a character that a path cannot have: percent-encode it'
  if (dotSegment.test(path)) return 'holds a . or .. segment'
  if (path.includes('//')) return 'holds an empty segment'
  return null
}

const plainPath = z.string().superRefine((text, context) => {
  const problem = pathProblem(text)
  if (problem !== null) context.addIssue(problem)
})

const pathTemplate = z.string().superRefine((text, context) => {
  const problem = templateProblem(text, true) ?? pathProblem(text.replace(/\{[^{}]*\}/g, 'x'))
  if (problem !== null) context.addIssue(problem)
})

/** The schema of changes to the path that is sent to the service. */
export const pathEditSchema = () =>
  z
    .strictObject({
      replace: z
        .strictObject({
          prefix: plainPath.meta({ description: 'Beginning of the path, in whole segments; other paths stay.' }),
          with: plainPath.meta({ description: 'What stands there instead; `/` for nothing.' }),
        })
        .optional()
        .meta({ description: 'Replaces the beginning of the path.' }),
      template: pathTemplate.optional().meta({
        description:
          'The whole path; `{name}` is a parameter of the route, percent-encoded so that it stays one segment.',
      }),
    })
    .superRefine(({ replace, template }, context) => {
      if (replace && template !== undefined)
        context.addIssue({
          code: 'custom',
          path: ['template'],
          message: 'cannot stand beside replace: use one of them',
        })
    })

type PathEdits = z.output<ReturnType<typeof pathEditSchema>>

const compilePrefix = (prefix: string, replacement: string): ((call: Call) => string) => {
  const from = prefix === '/' ? '' : prefix.replace(/\/$/, '')
  const to = replacement.replace(/\/$/, '')
  return ({ forwardPath }) => {
    if (forwardPath === from) return to || '/'
    return forwardPath.startsWith(`${from}/`) ? to + forwardPath.slice(from.length) : forwardPath
  }
}

const compilePath = (template: string): ((call: Call) => string) => {
  const build = compileTemplate(template, { encode: encodeBytes, bareParams: true })
  return call => {
    const path = build(call)
    if (path === null)
      throw new GatewayError('bad-request', { detail: 'A part of the request that the path needs is empty.' })
    if (dotSegment.test(path))
      throw new GatewayError('bad-request', { detail: 'A parameter of the path is a dot segment.' })
    return path
  }
}

/** Compiles the new path of a call; null when nothing changes. */
export const compilePathEdits = ({ replace, template }: PathEdits): ((call: Call) => string) | null => {
  if (replace) return compilePrefix(replace.prefix, replace.with)
  return template === undefined ? null : compilePath(template)
}
