import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runSteps, runStepsInTurns, type Steps } from './steps.ts'

function* counting(until: number, each: (step: number) => void = () => {}): Steps<number> {
  for (let step = 0; step < until; step++) {
    each(step)
    yield
  }
  return until
}

/** Work of about a millisecond. */
const work = (): void => {
  const end = performance.now() + 1
  while (performance.now() < end);
}

test('all steps at once, or in turns, give the same', async () => {
  assert.equal(runSteps(counting(7)), 7)
  assert.equal(await runStepsInTurns(counting(7)), 7)
})

test('in turns others have theirs before the work is done', async () => {
  let done = 0
  let seen = -1
  setImmediate(() => {
    seen = done
  })
  await runStepsInTurns(
    counting(20, step => {
      work()
      done = step + 1
    }),
  )
  assert.ok(seen >= 0 && seen < 20, `others were served after ${seen} of 20 steps`)
})

test('what a step throws ends the work', async () => {
  const failing = () =>
    counting(5, step => {
      if (step === 3) throw new Error('no further')
    })
  assert.throws(() => runSteps(failing()), /no further/)
  await assert.rejects(runStepsInTurns(failing()), /no further/)
})
