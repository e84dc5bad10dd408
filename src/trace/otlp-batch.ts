import { OtlpEncoder } from './otlp.ts'
import { ProtobufWriter } from './protobuf.ts'
import type { Attributes, Recorder, Span } from './recorder.ts'

/** Name of the instrumentation scope of all our spans. */
export const SCOPE_NAME = 'versitygw-ts'

/** One encoded ExportTraceServiceRequest. */
export interface EncodedSpans {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly spans: number
}

export interface SealedBatch extends EncodedSpans {
  readonly traces: number
}

/** Blocks that had to grow are used again as well, up to a limit. */
const BLOCK_BYTES = 256 * 1024
const LARGEST_KEPT = 2 * 1024 * 1024
const MAX_FREE = 8

/**
 * Spans of many requests, gathered into one ExportTraceServiceRequest. The spans are encoded as they come, behind room
 * for the head (resource, scope, and the lengths around them), which is written when the batch is sealed.
 */
export class OtlpBatch {
  readonly #resource: Uint8Array
  readonly #scope: Uint8Array
  readonly #headRoom: number
  readonly #writer: ProtobufWriter
  readonly #encoder: OtlpEncoder
  /** Blocks whose batch has been sent. */
  readonly #free: Uint8Array<ArrayBuffer>[] = []
  spans = 0
  /** Those whose last span is in; counted by whoever adds them. */
  traces = 0

  constructor(resource: Attributes, version: string) {
    const scratch = new ProtobufWriter(new Uint8Array(1024))
    new OtlpEncoder(scratch).attributes(RESOURCE_ATTRIBUTE, resource)
    this.#resource = field(RESOURCE, scratch.block.slice(0, scratch.at))
    scratch.at = 0
    scratch.string(SCOPE_FIELD.name, SCOPE_NAME)
    if (version !== '') scratch.string(SCOPE_FIELD.version, version)
    this.#scope = field(SCOPE, scratch.block.slice(0, scratch.at))
    this.#headRoom = this.#resource.length + this.#scope.length + 2 * (1 + MAX_LENGTH_BYTES)
    this.#writer = new ProtobufWriter(new Uint8Array(BLOCK_BYTES))
    this.#writer.at = this.#headRoom
    this.#encoder = new OtlpEncoder(this.#writer)
  }

  /** Bytes of the spans so far. */
  get bytes(): number {
    return this.#writer.at - this.#headRoom
  }

  /** Adds one span, unless it stands below `level`. */
  add(span: Span, recorder: Recorder, level: number): void {
    const before = this.#writer.at
    try {
      if (this.#encoder.span(span, recorder, level)) this.spans++
    } catch (error) {
      // Half a span would spoil the batch.
      this.#writer.at = before
      throw error
    }
  }

  /** Takes what has been gathered and starts anew. Give its memory back by `release` when it has been sent. */
  seal(): SealedBatch {
    const { block, at } = this.#writer
    const head = this.#head(at - this.#headRoom)
    const start = this.#headRoom - head.length
    block.set(head, start)
    const sealed = { bytes: block.subarray(start, at), spans: this.spans, traces: this.traces }
    this.#writer.restart(this.#free.pop() ?? new Uint8Array(BLOCK_BYTES), this.#headRoom)
    this.spans = 0
    this.traces = 0
    return sealed
  }

  release(block: ArrayBuffer): void {
    if (block.byteLength <= LARGEST_KEPT && this.#free.length < MAX_FREE)
      this.#free.push(new Uint8Array(block))
  }

  #head(spansLength: number): Uint8Array {
    const writer = new ProtobufWriter(new Uint8Array(this.#headRoom))
    const scopeSpansLength = this.#scope.length + spansLength
    const inner = new ProtobufWriter(new Uint8Array(1 + MAX_LENGTH_BYTES))
    inner.byte(SCOPE_SPANS)
    inner.varint(scopeSpansLength)
    writer.byte(RESOURCE_SPANS)
    writer.varint(this.#resource.length + inner.at + scopeSpansLength)
    writer.raw(this.#resource)
    writer.raw(inner.block.subarray(0, inner.at))
    writer.raw(this.#scope)
    return writer.block.subarray(0, writer.at)
  }
}

const MAX_LENGTH_BYTES = 5

/** ExportTraceServiceRequest.resource_spans, then fields of ResourceSpans, ScopeSpans, Resource, InstrumentationScope. */
const RESOURCE_SPANS = 0x0a
const RESOURCE = 0x0a
const SCOPE_SPANS = 0x12
const SCOPE = 0x0a
const RESOURCE_ATTRIBUTE = 0x0a
const SCOPE_FIELD = { name: 0x0a, version: 0x12 } as const

function field(tag: number, content: Uint8Array): Uint8Array {
  const writer = new ProtobufWriter(new Uint8Array(content.length + 8))
  writer.bytes(tag, content)
  return writer.block.slice(0, writer.at)
}
