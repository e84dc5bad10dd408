import type { Span } from './recorder.ts'

/** Whether something the gateway depends on worked the last time it was used; a change is an event of the request that met it. */
export class Health {
  isUp = true
  readonly changes = { up: 0, down: 0 }
  readonly target: string

  constructor(target: string) {
    this.target = target
  }

  note(isUp: boolean, span: Span | undefined): void {
    if (isUp === this.isUp) return
    this.isUp = isUp
    const [from, to] = isUp ? (['down', 'up'] as const) : (['up', 'down'] as const)
    this.changes[to]++
    span?.addEvent('health.changed', { target: this.target, from, to })
  }
}
