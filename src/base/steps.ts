import { setImmediate } from 'node:timers/promises'
import { monotonicMs } from './clock.ts'

/** Work that can be left and gone on with between any two of its steps. */
export type Steps<Result> = Iterator<undefined, Result, undefined>

/** Milliseconds of work after which others have their turn. */
const turn = 3

/** Does all steps at once. */
export const runSteps = <Result>(steps: Steps<Result>): Result => {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}

/** Does the steps in turns of a few milliseconds; between them the event loop serves everybody else. */
export const runStepsInTurns = async <Result>(steps: Steps<Result>): Promise<Result> => {
  for (;;) {
    const end = monotonicMs() + turn
    while (monotonicMs() < end) {
      const step = steps.next()
      if (step.done) return step.value
    }
    await setImmediate()
  }
}
