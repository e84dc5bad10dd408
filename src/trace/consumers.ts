import type { SpanProcessor } from '@opentelemetry/sdk-trace-node'
import { createConsoleWriter, type ConsoleOutput } from './console.ts'
import type { SpanConsumer } from './readable-sink.ts'

const NOTHING = (): Promise<void> => Promise.resolve()

export function consoleConsumer(output: ConsoleOutput): SpanConsumer {
  return { take: createConsoleWriter(output), flush: NOTHING, close: NOTHING }
}

/** A processor of the SDK. It sees spans when they are over and kept: `onStart` is never called. */
export function processorConsumer(processor: SpanProcessor): SpanConsumer {
  return {
    take(spans) {
      for (const span of spans) processor.onEnd(span)
      return true
    },
    flush: () => processor.forceFlush(),
    close: () => processor.shutdown(),
  }
}
