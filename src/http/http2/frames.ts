/** Frame types (RFC 9113 §6). */
export const frameTypes = {
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  rstStream: 0x3,
  settings: 0x4,
  pushPromise: 0x5,
  ping: 0x6,
  goaway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const

/** Flags of frames; `ack` is the same bit as `endStream`, on SETTINGS and PING. */
export const flags = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const

/** Parameters of SETTINGS (RFC 9113 §6.5.2, RFC 8441 §3). */
export const settingIds = {
  headerTableSize: 0x1,
  enablePush: 0x2,
  maxConcurrentStreams: 0x3,
  initialWindowSize: 0x4,
  maxFrameSize: 0x5,
  maxHeaderListSize: 0x6,
  enableConnectProtocol: 0x8,
} as const

export const frameHeaderSize = 9
/** What both sides may send until SETTINGS says more (RFC 9113 §4.2); this engine never asks for more. */
export const defaultFrameSize = 16_384
export const defaultWindow = 65_535
export const maxWindow = 2_147_483_647
export const maxStreamId = 2_147_483_647

/** RFC 9113 §3.4: what a client sends first. */
export const clientPreface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')
