import { Problem } from '../http-service.ts'

export const statuses = ['open', 'paid', 'shipped', 'cancelled'] as const

export type Item = { sku: string; title: string; quantity: number; unitPrice: number }
export type Order = {
  id: string
  customerId: string
  status: (typeof statuses)[number]
  createdAt: string
  /** Cents of the currency. */
  total: number
  currency: string
  items: Item[]
}

const totalOf = (items: readonly Item[]): number => items.reduce((sum, item) => sum + item.quantity * item.unitPrice, 0)

const order = (id: string, customerId: string, status: Order['status'], createdAt: string, items: Item[]): Order => ({
  id,
  customerId,
  status,
  createdAt,
  total: totalOf(items),
  currency: 'EUR',
  items,
})

/** The orders that exist when the service starts. */
export const seedOrders = (): Order[] => [
  order('o-1001', 'u-1', 'shipped', '2026-10-02T08:15:00Z', [
    { sku: 'TEA-GREEN', title: 'Green tea, 250 g', quantity: 2, unitPrice: 1290 },
    { sku: 'POT-CLAY', title: 'Clay teapot', quantity: 1, unitPrice: 4900 },
  ]),
  order('o-1002', 'u-2', 'paid', '2026-10-11T17:40:00Z', [
    { sku: 'CUP-GLASS', title: 'Glass cup', quantity: 6, unitPrice: 450 },
  ]),
  order('o-1003', 'u-1', 'open', '2026-11-01T11:05:00Z', [
    { sku: 'TEA-BLACK', title: 'Black tea, 500 g', quantity: 1, unitPrice: 1890 },
  ]),
]

type Wrong = { pointer: string; detail: string }

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const checkText = (value: unknown, pointer: string, wrong: Wrong[]): string => {
  if (typeof value !== 'string' || value === '' || value.length > 100)
    wrong.push({ pointer, detail: 'must be a text of 1 to 100 characters' })
  return String(value)
}

const checkNumber = (value: unknown, pointer: string, low: number, high: number, wrong: Wrong[]): number => {
  if (!Number.isInteger(value) || (value as number) < low || (value as number) > high)
    wrong.push({ pointer, detail: `must be a whole number from ${low} to ${high}` })
  return Number(value)
}

const checkKeys = (value: Record<string, unknown>, known: readonly string[], pointer: string, wrong: Wrong[]): void => {
  for (const key of Object.keys(value)) {
    const escaped = key.replaceAll('~', '~0').replaceAll('/', '~1')
    if (!known.includes(key)) wrong.push({ pointer: `${pointer}/${escaped}`, detail: 'is not known' })
  }
}

const readItem = (value: unknown, pointer: string, wrong: Wrong[]): Item => {
  const raw = isObject(value) ? value : {}
  if (raw !== value) wrong.push({ pointer, detail: 'must be an object' })
  checkKeys(raw, ['sku', 'title', 'quantity', 'unitPrice'], pointer, wrong)
  return {
    sku: checkText(raw['sku'], `${pointer}/sku`, wrong),
    title: checkText(raw['title'], `${pointer}/title`, wrong),
    quantity: checkNumber(raw['quantity'], `${pointer}/quantity`, 1, 1000, wrong),
    unitPrice: checkNumber(raw['unitPrice'], `${pointer}/unitPrice`, 0, 10_000_000, wrong),
  }
}

/** Makes an order of a request body. Throws a Problem that names everything that is wrong with it. */
export const readNewOrder = (body: unknown, id: string): Order => {
  if (!isObject(body)) throw new Problem(400, 'The body must be an object')
  const wrong: Wrong[] = []
  checkKeys(body, ['customerId', 'items'], '', wrong)
  const customerId = checkText(body['customerId'], '/customerId', wrong)
  const rawItems = Array.isArray(body['items']) ? body['items'] : []
  if (rawItems.length < 1 || rawItems.length > 100)
    wrong.push({ pointer: '/items', detail: 'must list 1 to 100 items' })
  const items = rawItems.slice(0, 100).map((item, index) => readItem(item, `/items/${index}`, wrong))
  if (wrong.length > 0) throw new Problem(400, 'The order is not valid', { errors: wrong })
  return order(id, customerId, 'open', new Date().toISOString(), items)
}
