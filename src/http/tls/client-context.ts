import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'

const contexts = new WeakMap<SecureContextOptions, SecureContext>()
let usual: SecureContext | null = null

const isUsual = ({ ca, cert }: SecureContextOptions): boolean => ca === undefined && cert === undefined

/**
 * The context of outgoing connections with these credentials, made once: parsing certificates for each connection costs
 * more than its handshake.
 */
export const clientContext = (options: SecureContextOptions): SecureContext => {
  if (isUsual(options)) return (usual ??= createSecureContext({}))
  let context = contexts.get(options)
  if (context === undefined) {
    context = createSecureContext(options)
    contexts.set(options, context)
  }
  return context
}
