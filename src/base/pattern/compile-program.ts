import { type ParsedPattern, PatternError, type PatternNode } from './parse-pattern.ts'

/** One step of a program. `x` is tried before `y`. */
export type Instruction =
  | { op: 'set'; ranges: readonly number[] }
  | { op: 'split'; x: number; y: number }
  | { op: 'jump'; x: number }
  | { op: 'save'; slot: number }
  /** Groups in the body of a loop are unset again in each round (ECMA-262 §22.2.2.3.1). */
  | { op: 'clear'; slots: readonly number[] }
  | { op: 'boundary'; negated: boolean }
  | { op: 'start' }
  | { op: 'end' }
  | { op: 'match' }

export type Program = { readonly instructions: readonly Instruction[]; readonly slots: number }

/** A search takes at most this many steps for each character. */
const maxInstructions = 500

const slotsIn = (node: PatternNode): number[] => {
  if (node.kind === 'group')
    return [...(node.index === null ? [] : [node.index * 2, node.index * 2 + 1]), ...slotsIn(node.body)]
  if (node.kind === 'repeat') return slotsIn(node.body)
  return node.kind === 'sequence' || node.kind === 'choice' ? node.parts.flatMap(slotsIn) : []
}

const mayBeEmpty = (node: PatternNode): boolean => {
  if (node.kind === 'set') return false
  if (node.kind === 'group') return mayBeEmpty(node.body)
  if (node.kind === 'repeat') return node.minimum === 0 || mayBeEmpty(node.body)
  if (node.kind === 'sequence') return node.parts.every(mayBeEmpty)
  return node.kind !== 'choice' || node.parts.some(mayBeEmpty)
}

/**
 * Thompson's construction (K. Thompson, "Regular expression search algorithm", 1968), with priorities and places for
 * groups. Throws a PatternError for a pattern that is too large, or that repeats what may be empty: there the rules of
 * ECMAScript need to remember more than one place.
 */
export const compileProgram = ({ root, groups }: ParsedPattern): Program => {
  const instructions: Instruction[] = []

  const emit = <Step extends Instruction>(step: Step): Step => {
    if (instructions.push(step) > maxInstructions) throw new PatternError('is too large')
    return step
  }
  const here = (): number => instructions.length

  const split = (greedy: boolean): ((after: number) => void) => {
    const step = emit({ op: 'split', x: here() + 1, y: here() + 1 })
    return after => {
      if (greedy) step.y = after
      else step.x = after
    }
  }

  const repeat = ({ body, minimum, maximum, greedy }: PatternNode & { kind: 'repeat' }): void => {
    if (mayBeEmpty(body)) throw new PatternError('repeats something that may be empty')
    const slots = slotsIn(body)
    const round = () => {
      if (slots.length > 0) emit({ op: 'clear', slots })
      write(body)
    }
    for (let i = 0; i < minimum; i++) round()
    if (maximum === Number.POSITIVE_INFINITY) {
      const loop = here()
      const leave = split(greedy)
      round()
      emit({ op: 'jump', x: loop })
      leave(here())
      return
    }
    const leaves: ((after: number) => void)[] = []
    for (let i = minimum; i < maximum; i++) {
      leaves.push(split(greedy))
      round()
    }
    for (const leave of leaves) leave(here())
  }

  const choice = (parts: readonly PatternNode[]): void => {
    const jumps: { op: 'jump'; x: number }[] = []
    for (const [index, part] of parts.entries()) {
      if (index === parts.length - 1) {
        write(part)
        break
      }
      const other = split(true)
      write(part)
      jumps.push(emit({ op: 'jump', x: 0 }))
      other(here())
    }
    for (const jump of jumps) jump.x = here()
  }

  const group = ({ index, body }: PatternNode & { kind: 'group' }): void => {
    if (index !== null) emit({ op: 'save', slot: index * 2 })
    write(body)
    if (index !== null) emit({ op: 'save', slot: index * 2 + 1 })
  }

  const write = (node: PatternNode): void => {
    if (node.kind === 'set') emit({ op: 'set', ranges: node.ranges })
    else if (node.kind === 'start' || node.kind === 'end') emit({ op: node.kind })
    else if (node.kind === 'boundary') emit({ op: 'boundary', negated: node.negated })
    else if (node.kind === 'choice') choice(node.parts)
    else if (node.kind === 'repeat') repeat(node)
    else if (node.kind === 'group') group(node)
    else for (const part of node.parts) write(part)
  }

  emit({ op: 'save', slot: 0 })
  write(root)
  emit({ op: 'save', slot: 1 })
  emit({ op: 'match' })
  return { instructions, slots: (groups + 1) * 2 }
}
