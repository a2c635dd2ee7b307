import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, isIPv6 } from 'node:net'

export type DnsRecord =
  | { type: 'A' | 'AAAA'; address: string; ttl?: number }
  | { type: 'SRV'; priority: number; weight: number; port: number; host: string; ttl?: number }

/** What names stand for: a test changes it while the server runs. `fails` answers SERVFAIL. */
export type DnsZone = Map<string, DnsRecord[] | 'fails'>

export type DnsServer = {
  readonly port: number
  readonly zone: DnsZone
  /** Questions so far, as `A name`. */
  readonly questions: string[]
  stop(): Promise<void>
}

const typeNumbers = { A: 1, AAAA: 28, SRV: 33 } as const

const nameBytes = (name: string): Buffer =>
  Buffer.concat([
    ...name.split('.').map(label => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.from([0]),
  ])

const ipv6Bytes = (address: string): Buffer => {
  const [head = '', tail] = address.split('::')
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'))
  const before = groups(head)
  const after = tail === undefined ? [] : groups(tail)
  const all = [...before, ...new Array<string>(8 - before.length - after.length).fill('0'), ...after]
  return Buffer.from(all.map(group => group.padStart(4, '0')).join(''), 'hex')
}

const dataOf = (record: DnsRecord): Buffer => {
  if (record.type !== 'SRV')
    return isIPv6(record.address) ? ipv6Bytes(record.address) : Buffer.from(record.address.split('.').map(Number))
  const numbers = Buffer.alloc(6)
  numbers.writeUInt16BE(record.priority, 0)
  numbers.writeUInt16BE(record.weight, 2)
  numbers.writeUInt16BE(record.port, 4)
  return Buffer.concat([numbers, nameBytes(record.host)])
}

const answerBytes = (record: DnsRecord): Buffer => {
  const data = dataOf(record)
  const head = Buffer.alloc(12)
  // A pointer to the name of the question (RFC 1035 §4.1.4).
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(typeNumbers[record.type], 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(record.ttl ?? 0, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

const readQuestion = (message: Buffer): { name: string; type: number; end: number } => {
  const labels: string[] = []
  let at = 12
  for (let length = message[at] as number; length > 0; length = message[at] as number) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at + 1), end: at + 5 }
}

/** A DNS server on loopback that knows a few names (RFC 1035): everything else does not exist. */
export const dnsServer = async (records: Record<string, DnsRecord[]>): Promise<DnsServer> => {
  const zone: DnsZone = new Map(Object.entries(records))
  const questions: string[] = []
  const answer = (message: Buffer): Buffer => {
    const { name, type, end } = readQuestion(message)
    const typeName = Object.entries(typeNumbers).find(([, number]) => number === type)?.[0] ?? String(type)
    questions.push(`${typeName} ${name}`)
    const known = zone.get(name)
    const answers = known === undefined || known === 'fails' ? [] : known.filter(record => record.type === typeName)
    const head = Buffer.alloc(12)
    head.writeUInt16BE(message.readUInt16BE(0), 0)
    const code = known === 'fails' ? 2 : known === undefined ? 3 : 0
    head.writeUInt16BE(0x8580 | code, 2)
    head.writeUInt16BE(1, 4)
    head.writeUInt16BE(answers.length, 6)
    return Buffer.concat([head, message.subarray(12, end), ...answers.map(answerBytes)])
  }
  const socket = createSocket('udp4')
  socket.on('message', (message, from) => socket.send(answer(message), from.port, from.address))
  // RFC 7766 §8: over TCP each message has its length before it.
  const server = createServer(connection => {
    let bytes = Buffer.alloc(0)
    connection.on('error', () => {})
    connection.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
        const end = 2 + bytes.readUInt16BE(0)
        const reply = answer(bytes.subarray(2, end))
        const length = Buffer.alloc(2)
        length.writeUInt16BE(reply.length)
        connection.write(Buffer.concat([length, reply]))
        bytes = bytes.subarray(end)
      }
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise<void>(resolve => socket.bind(port, '127.0.0.1', resolve))
  return {
    port,
    zone,
    questions,
    stop: () => {
      server.close()
      return new Promise(resolve => socket.close(() => resolve()))
    },
  }
}
