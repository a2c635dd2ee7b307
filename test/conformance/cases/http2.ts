import type { Http2Case } from './http2-case.ts'
import { http2FieldCases } from './http2-fields.ts'
import { http2FrameCases } from './http2-frames.ts'

export const http2Cases: readonly Http2Case[] = [...http2FieldCases, ...http2FrameCases]
