/** Why a WebSocket is closed (RFC 6455 §7.4.1), as far as the gateway says so itself. */
export const closeCodes = {
  goingAway: 1001,
  protocolError: 1002,
  invalidPayload: 1007,
  policyViolation: 1008,
  messageTooBig: 1009,
  internalError: 1011,
} as const

/** Whether a code may stand in a close frame: RFC 6455 §7.4.2, and 1012 to 1014 of the IANA registry. */
export const mayTravel = (code: number): boolean =>
  code >= 1000 && code <= 4999 && (code >= 3000 || (code <= 1014 && (code < 1004 || code > 1006)))
