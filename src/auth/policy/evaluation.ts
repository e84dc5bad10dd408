import type { Variables } from './pattern.ts'

/**
 * One look at a policy: the request's values, and how much work they may still cost. Thousands of wildcards against a header
 * of kilobytes would else hold up every other request; no policy that means something comes near.
 */
export class Evaluation {
  readonly variables: Variables
  #steps = MAX_STEPS

  constructor(variables: Variables) {
    this.variables = variables
  }

  /** Throws TooCostly where there was too much already. */
  spend(steps: number): void {
    this.#steps -= steps
    if (this.#steps < 0) throw new TooCostly('a policy costs too much to evaluate')
  }
}

/** Characters looked at, at some 10 ns each. 900 patterns with two stars on a key of 1,024 characters are 1.8 million. */
const MAX_STEPS = 2_000_000

export class TooCostly extends Error {}
