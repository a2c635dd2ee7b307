import type { PolicyUnit } from '#gateway/contract'
import { bodyLimit } from './body-limit/index.ts'
import { cors } from './cors/index.ts'
import { ipAllow } from './ip-allow/index.ts'
import { keyAuth } from './key-auth/index.ts'
import { mtlsAuth } from './mtls-auth/index.ts'
import { rateLimit } from './rate-limit/index.ts'
import { sse } from './sse/index.ts'
import { transformRequest } from './transform-request/index.ts'
import { transformResponse } from './transform-response/index.ts'
import { webSocket } from './websocket/index.ts'

/** Every policy. Inside one phase they act in the order of this list. */
export const policies: readonly PolicyUnit[] = [
  ipAllow,
  cors,
  mtlsAuth,
  keyAuth,
  bodyLimit,
  rateLimit,
  webSocket,
  sse,
  transformRequest,
  transformResponse,
]
