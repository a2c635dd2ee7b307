import { Problem, readLimit, serve } from '../http-service.ts'
import { type Order, readNewOrder, seedOrders, statuses } from './orders.ts'

/** The oldest is forgotten beyond this: an example must not fill the memory of the machine. */
const maxOrders = 1000

const orders = new Map(seedOrders().map(order => [order.id, order]))
let lastNumber = 1003

const find = (id: string): Order => {
  const order = orders.get(id)
  if (order === undefined) throw new Problem(404, `There is no order ${JSON.stringify(id)}`)
  return order
}

const summary = ({ items, ...order }: Order) => ({ ...order, itemCount: items.length })

serve({
  'GET /healthz': () => ({ status: 200, body: { status: 'ok' } }),

  'GET /orders': ({ query }) => {
    const status = query.get('status')
    const limit = readLimit(query)
    if (status !== null && !(statuses as readonly string[]).includes(status))
      throw new Problem(400, `status is one of ${statuses.join(', ')}`)
    const found = [...orders.values()].filter(order => status === null || order.status === status)
    return { status: 200, body: { orders: found.slice(0, limit).map(summary), total: found.length } }
  },

  'POST /orders': async ({ readJson }) => {
    const order = readNewOrder(await readJson(), `o-${lastNumber + 1}`)
    lastNumber++
    orders.set(order.id, order)
    if (orders.size > maxOrders) orders.delete(orders.keys().next().value as string)
    return { status: 201, body: order, headers: { location: `/orders/${order.id}` } }
  },

  'GET /orders/{orderId}': ({ params }) => ({ status: 200, body: find(params['orderId'] as string) }),

  'GET /orders/{orderId}/items': ({ params }) => ({
    status: 200,
    body: { items: find(params['orderId'] as string).items },
  }),
})
