/** What a frame is (RFC 6455 §5.2); 8 and above are control frames. */
export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const
