import { errorFacts } from '../error-facts.ts'
import type { AttributeValue, Span as Recorded } from '../trace/recorder.ts'
import type { Attributes, Span } from './types.ts'

/** What one span may hold; what comes on top is left out. */
const MAX_ATTRIBUTES = 128
const MAX_EVENTS = 128
const MAX_TEXT = 4096

/** A span of a recorder, for those who know the public interface only. */
export class RecordedSpan implements Span {
  /** The span itself: what `parent` and the current span need. */
  readonly recorded: Recorded
  readonly #onEnd: (recorded: Recorded) => void

  constructor(recorded: Recorded, onEnd: (recorded: Recorded) => void) {
    this.recorded = recorded
    this.#onEnd = onEnd
  }

  get traceId(): string {
    return this.recorded.recorder.traceId
  }

  get spanId(): string {
    return this.recorded.spanId
  }

  set(name: string, value: AttributeValue): this {
    const { recorded } = this
    if (recorded.endNs === 0 && recorded.keys.list.length < MAX_ATTRIBUTES)
      recorded.set(name.slice(0, MAX_TEXT), shownValue(value))
    return this
  }

  setAll(attributes: Attributes): this {
    for (const [name, value] of Object.entries(attributes))
      if (value !== undefined) this.set(name, value)
    return this
  }

  event(name: string, attributes: Attributes = {}): this {
    const { recorded } = this
    if (recorded.endNs === 0 && (recorded.events?.length ?? 0) < MAX_EVENTS)
      recorded.addEvent(name.slice(0, MAX_TEXT), shownAttributes(attributes))
    return this
  }

  fail(error: unknown): this {
    const { recorded } = this
    if (recorded.endNs !== 0) return this
    const { type, message, code, stack } = errorFacts(error)
    recorded.fail({ type: code ?? type, message, stack: stack.join('\n') })
    return this
  }

  end(): void {
    const { recorded } = this
    if (recorded.endNs !== 0) return
    recorded.end()
    this.#onEnd(recorded)
  }
}

function shownAttributes(attributes: Attributes): Record<string, AttributeValue> {
  const shown: Record<string, AttributeValue> = {}
  for (const [name, value] of Object.entries(attributes).slice(0, MAX_ATTRIBUTES))
    if (value !== undefined) shown[name] = shownValue(value)
  return shown
}

/** Programs in JavaScript hand over anything. */
function shownValue(value: unknown): AttributeValue {
  if (typeof value === 'boolean') return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  return String(value).slice(0, MAX_TEXT)
}
