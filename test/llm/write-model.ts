import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from '../harness.ts'

/**
 * Writes a tiny language model with random weights in the GGUF format, version 3 (ggml-org/ggml, docs/gguf.md):
 * the llama architecture with a vocabulary of three control tokens and the 256 bytes. What it says is noise, but a
 * real inference engine loads it, tokenises with it and computes every token, so it stands for any model in tests.
 */
const shape = { embedding: 64, blocks: 2, heads: 4, feedForward: 128, context: 2048, vocabulary: 259 }

/** Part of the file name: a changed layout must not meet an old file. */
const layout = 2

const valueTypes = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const
const tensorTypeFloat32 = 0
const alignment = 32

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

const uint64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

const float32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return bytes
}

const string = (text: string): Buffer => {
  const bytes = Buffer.from(text)
  return Buffer.concat([uint64(bytes.length), bytes])
}

type Pair = { key: string; type: keyof typeof valueTypes; bytes: Buffer }

const pair = ({ key, type, bytes }: Pair): Buffer => Buffer.concat([string(key), uint32(valueTypes[type]), bytes])

const count = (key: string, value: number): Buffer => pair({ key, type: 'uint32', bytes: uint32(value) })
const text = (key: string, value: string): Buffer => pair({ key, type: 'string', bytes: string(value) })
const flag = (key: string, value: boolean): Buffer => pair({ key, type: 'bool', bytes: Buffer.from([value ? 1 : 0]) })
const fraction = (key: string, value: number): Buffer => pair({ key, type: 'float32', bytes: float32(value) })

const array = <T>(key: string, type: keyof typeof valueTypes, items: T[], write: (item: T) => Buffer): Buffer =>
  pair({
    key,
    type: 'array',
    bytes: Buffer.concat([uint32(valueTypes[type]), uint64(items.length), ...items.map(write)]),
  })

const padded = (bytes: Buffer): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((alignment - (bytes.length % alignment)) % alignment)])

/** Token types of the format: 2 unknown, 3 control, 6 byte. */
const tokens = [
  { text: '<unk>', type: 2 },
  { text: '<s>', type: 3 },
  { text: '</s>', type: 3 },
  ...Array.from({ length: 256 }, (_, byte) => ({
    text: `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
    type: 6,
  })),
]

const metadata = (): Buffer[] => [
  text('general.architecture', 'llama'),
  text('general.name', 'portico test noise'),
  count('general.file_type', 0),
  count('llama.context_length', shape.context),
  count('llama.embedding_length', shape.embedding),
  count('llama.block_count', shape.blocks),
  count('llama.feed_forward_length', shape.feedForward),
  count('llama.attention.head_count', shape.heads),
  count('llama.attention.head_count_kv', shape.heads),
  fraction('llama.attention.layer_norm_rms_epsilon', 1e-5),
  count('llama.rope.dimension_count', shape.embedding / shape.heads),
  count('llama.vocab_size', shape.vocabulary),
  text('tokenizer.ggml.model', 'llama'),
  array('tokenizer.ggml.tokens', 'string', tokens, token => string(token.text)),
  array('tokenizer.ggml.scores', 'float32', tokens, () => float32(0)),
  array('tokenizer.ggml.token_type', 'int32', tokens, token => uint32(token.type)),
  count('tokenizer.ggml.unknown_token_id', 0),
  count('tokenizer.ggml.bos_token_id', 1),
  count('tokenizer.ggml.eos_token_id', 2),
  flag('tokenizer.ggml.add_bos_token', true),
  flag('tokenizer.ggml.add_space_prefix', false),
]

/** Seeded noise in (-1, 1): a 32-bit linear congruential generator, so that every machine writes the same file. */
const noise = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 31 - 1
  }
}

/** Dimensions as the format counts them: the row length first. */
const tensors = (): { name: string; dimensions: number[] }[] => {
  const { embedding, feedForward, vocabulary } = shape
  const list = [{ name: 'token_embd.weight', dimensions: [embedding, vocabulary] }]
  for (let block = 0; block < shape.blocks; block++) {
    const add = (part: string, ...dimensions: number[]) =>
      list.push({ name: `blk.${block}.${part}.weight`, dimensions })
    add('attn_norm', embedding)
    for (const part of ['attn_q', 'attn_k', 'attn_v', 'attn_output']) add(part, embedding, embedding)
    add('ffn_norm', embedding)
    add('ffn_gate', embedding, feedForward)
    add('ffn_up', embedding, feedForward)
    add('ffn_down', feedForward, embedding)
  }
  list.push({ name: 'output_norm.weight', dimensions: [embedding] })
  list.push({ name: 'output.weight', dimensions: [embedding, vocabulary] })
  return list
}

/**
 * Only the rows of space and small letters keep their weights: answers can be printed, and as the end token is
 * never the likeliest, an answer is as long as the caller allows.
 */
const silence = (output: Float32Array): void => {
  for (let token = 0; token < shape.vocabulary; token++) {
    const byte = token - 3
    if (byte !== 0x20 && !(byte >= 0x61 && byte <= 0x7a))
      output.fill(0, token * shape.embedding, (token + 1) * shape.embedding)
  }
}

/** The whole model file; the same bytes for the same seed. */
export const modelBytes = (seed: number): Buffer => {
  const random = noise(seed)
  const pairs = metadata()
  const list = tensors()
  const infos: Buffer[] = []
  const data: Buffer[] = []
  let offset = 0
  for (const { name, dimensions } of list) {
    const size = dimensions.reduce((product, dimension) => product * dimension, 1)
    const isNorm = dimensions.length === 1
    const values = new Float32Array(size)
    for (let i = 0; i < size; i++) values[i] = isNorm ? 1 : random() * 0.25
    if (name === 'output.weight') silence(values)
    const bytes = padded(Buffer.from(values.buffer))
    infos.push(
      Buffer.concat([
        string(name),
        uint32(dimensions.length),
        ...dimensions.map(uint64),
        uint32(tensorTypeFloat32),
        uint64(offset),
      ]),
    )
    data.push(bytes)
    offset += bytes.length
  }
  const head = Buffer.concat([
    Buffer.from('GGUF'),
    uint32(3),
    uint64(list.length),
    uint64(pairs.length),
    ...pairs,
    ...infos,
  ])
  return Buffer.concat([padded(head), ...data])
}

/** The path of the model file, written when it is not in the cache yet. */
export const writeModel = (seed = 7): string => {
  const file = join(root, '.cache', 'llm', `noise-${layout}-${seed}.gguf`)
  if (existsSync(file)) return file
  mkdirSync(dirname(file), { recursive: true })
  // Another test process may write the same file at the same time: the rename makes either of them whole.
  const unfinished = `${file}.${process.pid}`
  writeFileSync(unfinished, modelBytes(seed))
  renameSync(unfinished, file)
  return file
}
