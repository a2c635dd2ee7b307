import type { RequestCase } from './case.ts'
import { chunkCases } from './chunks.ts'
import { codingCases } from './codings.ts'
import { connectionCases } from './connections.ts'
import { fieldCases } from './fields.ts'
import { forwardingCases } from './forwarding.ts'
import { hostCases } from './hosts.ts'
import { identityCases } from './identity.ts'
import { lengthCases } from './lengths.ts'
import { mutationCases } from './mutations.ts'
import { requestLineCases } from './request-line.ts'
import { targetCases } from './targets.ts'

/** The request cases by area, in the order of the tables. */
export const requestAreas: readonly (readonly [area: string, cases: readonly RequestCase[]])[] = [
  ['request line', requestLineCases],
  ['request target', targetCases],
  ['Host', hostCases],
  ['header fields', fieldCases],
  ['Content-Length', lengthCases],
  ['transfer codings', codingCases],
  ['hidden framing', mutationCases],
  ['chunked bodies', chunkCases],
  ['connections', connectionCases],
  ['forwarding', [...forwardingCases, ...identityCases]],
]
