import { fileURLToPath } from 'node:url'
import { type Keeper, keepRunning } from './demo-service.ts'

const example = (path: string): string => fileURLToPath(new URL(`../../examples/${path}`, import.meta.url))

export type Demo = {
  configFile: string
  /** What the placeholders of the config file stand for. */
  env: Record<string, string>
  stop(): Promise<void>
  /** What to tell the user; an empty `consoleUrl` when there is no console. */
  banner(gatewayUrl: string, consoleUrl: string): string
}

const json = "-H 'content-type: application/json'"
const key = "-H 'x-api-key: demo-key-alice'"
const newOrder = '{"customerId":"u-3","items":[{"sku":"TEA-GREEN","title":"Green tea","quantity":1,"unitPrice":1290}]}'
const question = '{"model":"smart","messages":[{"role":"user","content":"Hello!"}]'

const banner = (gatewayUrl: string, consoleUrl: string): string => `
  Portico serves its demonstration: two small services and a model that only plays one.

  Gateway   ${gatewayUrl}
${consoleUrl === '' ? '' : `  Console   ${consoleUrl}\n`}
  # list orders, take one, list users
  curl ${gatewayUrl}/orders ${key}
  curl ${gatewayUrl}/orders ${key} ${json} \\
    -d '${newOrder}'
  curl ${gatewayUrl}/users ${key}

  # ask the model; the same as a stream
  curl ${gatewayUrl}/ai/v1/chat/completions ${key} ${json} \\
    -d '${question}}'
  curl -N ${gatewayUrl}/ai/v1/chat/completions ${key} ${json} \\
    -d '${question},"stream":true}'

  Call log          npm run -s portico -- calls
  Your own config   npm start -- --config FILE   (begin with examples/demo/portico.yaml)
`

/**
 * Starts the example services, each in a process of its own that is started again when it crashes, and ends with
 * `stop()` or with this process, however that ends.
 */
export const startDemo = async (): Promise<Demo> => {
  const started = await Promise.allSettled(
    ['orders', 'users'].map(name => keepRunning(name, example(`${name}/server.ts`))),
  )
  const keepers = started.flatMap((result): Keeper[] => (result.status === 'fulfilled' ? [result.value] : []))
  const stop = async (): Promise<void> => {
    await Promise.all(keepers.map(keeper => keeper.stop()))
  }
  const failed = started.find(result => result.status === 'rejected')
  const [orders, users] = keepers
  if (failed !== undefined || orders === undefined || users === undefined) {
    await stop()
    throw failed?.reason
  }
  return {
    configFile: example('demo/portico.yaml'),
    env: { ORDERS_URL: `http://127.0.0.1:${orders.port}`, USERS_URL: `http://127.0.0.1:${users.port}` },
    stop,
    banner,
  }
}
