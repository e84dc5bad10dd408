import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3ServiceException,
  UploadPartCommand,
  type CompletedPart,
  type S3Client,
} from '@aws-sdk/client-s3'
import { createHash, randomBytes } from 'node:crypto'

/** SHA-256 of an object's bytes; undefined where there is no object. */
export type Content = string | undefined

/** A completion that was asked for and never answered. */
export interface OpenCompletion {
  readonly key: string
  readonly content: Content
  readonly again: (s3: S3Client) => Promise<unknown>
}

/**
 * What a bucket may hold: one content a key and, of a key whose last write was never answered, the content before and the
 * one asked for. One writer a key: then there is nothing else that it may hold.
 */
export class CrashModel {
  readonly bucket: string
  /** Writes that were answered. */
  answered = 0
  readonly #keys = new Map<string, readonly Content[]>()
  #completions: OpenCompletion[] = []

  constructor(bucket: string) {
    this.bucket = bucket
  }

  /** What may be found, by key. */
  get keys(): ReadonlyMap<string, readonly Content[]> {
    return this.#keys
  }

  /** What was found, of what might be. */
  found(key: string, content: Content): void {
    this.#keys.set(key, [content])
  }

  takeCompletions(): OpenCompletion[] {
    const open = this.#completions
    this.#completions = []
    return open
  }

  /** Writes to `keys`, one thing after the other, until the gateway is gone. Rejects where it answers with an error. */
  async write(s3: S3Client, keys: readonly string[], isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const key = pick(keys)
      try {
        await this.#writeOne(s3, key, keys)
      } catch (error) {
        const isAnswer = error instanceof S3ServiceException && error.$response !== undefined
        if (isAnswer || !isOver()) throw error
      }
    }
  }

  async #writeOne(s3: S3Client, key: string, keys: readonly string[]): Promise<void> {
    const where = { Bucket: this.bucket, Key: key }
    const kind = Math.random()
    if (kind < 0.2) {
      return this.#expect(key, undefined, () => s3.send(new DeleteObjectCommand(where)))
    }
    if (kind < 0.4) {
      const source = pick(keys)
      const [content] = this.#keys.get(source) ?? []
      if (content === undefined || source === key) return
      const from = { CopySource: `${this.bucket}/${source}` }
      return this.#expect(key, content, () => s3.send(new CopyObjectCommand({ ...where, ...from })))
    }
    if (kind < 0.5) return this.#complete(s3, key)
    const body = randomBytes(pick(SIZES))
    return this.#expect(key, digest(body), () =>
      s3.send(new PutObjectCommand({ ...where, Body: body })),
    )
  }

  async #complete(s3: S3Client, key: string): Promise<void> {
    const where = { Bucket: this.bucket, Key: key }
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand(where))
    const bodies = [randomBytes(5 * 1024 * 1024), randomBytes(1000)]
    const Parts: CompletedPart[] = []
    for (const [i, Body] of bodies.entries()) {
      const PartNumber = i + 1
      const part = { ...where, UploadId, PartNumber, Body }
      const { ETag } = await s3.send(new UploadPartCommand(part))
      Parts.push({ ETag, PartNumber })
    }
    const content = digest(Buffer.concat(bodies))
    const again = (client: S3Client): Promise<unknown> =>
      client.send(
        new CompleteMultipartUploadCommand({ ...where, UploadId, MultipartUpload: { Parts } }),
      )
    const open = { key, content, again }
    this.#completions.push(open)
    await this.#expect(key, content, () => again(s3))
    this.#completions = this.#completions.filter((other) => other !== open)
  }

  /** Until the answer comes there may be one or the other. */
  async #expect(key: string, content: Content, ask: () => Promise<unknown>): Promise<void> {
    const before = this.#keys.get(key) ?? [undefined]
    this.#keys.set(key, [...before, content])
    await ask()
    this.#keys.set(key, [content])
    this.answered++
  }
}

/** Small ones are written by one job, large ones are streamed. */
const SIZES = [0, 10, 4000, 100_000, 300_000, 2_000_000]

function pick<T>(list: readonly T[]): T {
  const one = list[Math.floor(Math.random() * list.length)]
  if (one === undefined) throw new Error('nothing to choose from')
  return one
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** What there is, read whole. */
export async function readContent(s3: S3Client, bucket: string, key: string): Promise<Content> {
  try {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
    return digest((await Body?.transformToByteArray()) ?? new Uint8Array())
  } catch (error) {
    if (error instanceof S3ServiceException && error.name === 'NoSuchKey') return undefined
    throw error
  }
}
