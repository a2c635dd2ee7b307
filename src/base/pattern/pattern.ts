import { compileProgram } from './compile-program.ts'
import { PatternError, parsePattern } from './parse-pattern.ts'
import { runProgram } from './run-program.ts'

/** A compiled regular expression whose search takes linear time, so that no text can make it slow. */
export type Pattern = {
  readonly text: string
  /** Number of groups in parentheses. */
  readonly groups: number
  /** The match and its groups as RegExp gives them; undefined for groups that took no part. Null for no match. */
  exec(text: string): (string | undefined)[] | null
  test(text: string): boolean
}

/** Compiles a pattern; throws a PatternError that says what is wrong. Without flags: case matters, `.` is no line end. */
export const compilePattern = (text: string): Pattern => {
  const parsed = parsePattern(text)
  const program = compileProgram(parsed)
  return {
    text,
    groups: parsed.groups,
    exec: input => {
      const places = runProgram(program, input)
      if (places === null) return null
      const found: (string | undefined)[] = []
      for (let i = 0; i < places.length; i += 2)
        found.push(places[i + 1] === -1 ? undefined : input.slice(places[i], places[i + 1]))
      return found
    },
    test: input => runProgram(program, input) !== null,
  }
}

/** What is wrong with a pattern, or null. */
export const patternProblem = (text: string): string | null => {
  try {
    compilePattern(text)
    return null
  } catch (error) {
    if (error instanceof PatternError) return error.message
    throw error
  }
}
