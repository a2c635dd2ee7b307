import type { Instruction, Program } from './compile-program.ts'

const isWord = (code: number): boolean =>
  (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || code === 95 || (code >= 97 && code <= 122)

const isBoundary = (text: string, at: number): boolean =>
  (at > 0 && isWord(text.charCodeAt(at - 1))) !== (at < text.length && isWord(text.charCodeAt(at)))

const includes = (ranges: readonly number[], code: number): boolean => {
  for (let i = 0; i < ranges.length; i += 2)
    if (code >= (ranges[i] as number)) {
      if (code <= (ranges[i + 1] as number)) return true
    } else return false
  return false
}

/** States of a search at one position, the preferred first; each with the places of its groups. */
class Threads {
  readonly states: number[] = []
  readonly places: number[][] = []
  /** The position at which a state was last added: one is added once, since whoever came first is preferred. */
  readonly #seen: Int32Array
  readonly #program: Program
  readonly #text: string

  constructor(program: Program, text: string) {
    this.#program = program
    this.#text = text
    this.#seen = new Int32Array(program.instructions.length).fill(-1)
  }

  clear(): void {
    this.states.length = 0
    this.places.length = 0
  }

  /** Follows everything that reads nothing. */
  add(state: number, places: number[], at: number): void {
    if (this.#seen[state] === at) return
    this.#seen[state] = at
    const step = this.#program.instructions[state]
    if (step === undefined) return
    if (step.op === 'set' || step.op === 'match') {
      this.states.push(state)
      this.places.push(places)
    } else if (step.op === 'jump') this.add(step.x, places, at)
    else if (step.op === 'split') {
      this.add(step.x, places, at)
      this.add(step.y, places, at)
    } else if (step.op === 'save') {
      const own = places.slice()
      own[step.slot] = at
      this.add(state + 1, own, at)
    } else if (step.op === 'clear') {
      const own = places.slice()
      for (const slot of step.slots) own[slot] = -1
      this.add(state + 1, own, at)
    } else if (this.#stands(step, at)) this.add(state + 1, places, at)
  }

  #stands(step: Instruction & { op: 'start' | 'end' | 'boundary' }, at: number): boolean {
    if (step.op === 'start') return at === 0
    if (step.op === 'end') return at === this.#text.length
    return isBoundary(this.#text, at) !== step.negated
  }
}

/**
 * Pike's simulation (R. Pike, 1987): all states at once, character by character, so that the time is at most length of
 * the text times size of the program, whatever the text is. Finds what a backtracking search would find first. The
 * result has the begin and end of the match and of each group, -1 for groups that took no part; null for no match.
 */
export const runProgram = (program: Program, text: string): number[] | null => {
  const { instructions, slots } = program
  const begin = new Array<number>(slots).fill(-1)
  const anchored = instructions[1]?.op === 'start'
  let now = new Threads(program, text)
  let next = new Threads(program, text)
  let found: number[] | null = null
  for (let at = 0; at <= text.length; at++) {
    if (found === null && (at === 0 || !anchored)) now.add(0, begin, at)
    if (now.states.length === 0 && (found !== null || anchored)) break
    const code = at < text.length ? text.charCodeAt(at) : -1
    for (let i = 0; i < now.states.length; i++) {
      const state = now.states[i] as number
      const step = instructions[state]
      if (step?.op === 'match') {
        found = now.places[i] as number[]
        // What comes behind is less preferred.
        break
      }
      if (step?.op === 'set' && code >= 0 && includes(step.ranges, code))
        next.add(state + 1, now.places[i] as number[], at + 1)
    }
    const done = now
    now = next
    next = done
    next.clear()
  }
  return found
}
