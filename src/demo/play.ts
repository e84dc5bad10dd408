import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CallS3, Credentials, S3Answer, S3Call } from './s3-call.ts'

export const BUCKET = 'demo'
/** A directory of so many files, made before the gateway starts. */
export const SLOW_DIRECTORY = { name: 'archive', files: 25_000 }

/** What has happened so far. */
export interface Score {
  requests: number
  bytes: number
  clientErrors: number
  serverErrors: number
  broken: number
}

export interface Stage {
  readonly call: CallS3
  readonly score: Score
  /** The secret key of every account of the store. */
  readonly accountSecret: string
  readonly signal: AbortSignal
}

const KIB = 1024
const MIB = 1024 ** 2

/** One simulated client, until the signal says that it is enough. The first is a slow one. */
export async function playClient(number: number, stage: Stage): Promise<void> {
  const client = new Client(number, stage)
  while (!stage.signal.aborted) {
    const act = number === 1 && Math.random() < 0.5 ? 'slowly' : chosen()
    try {
      await client[act]()
    } catch {
      // The gateway is ending, or told this client to go away.
      if (!stage.signal.aborted) stage.score.broken++
    }
    await sleep(20 + Math.random() * 180, undefined, { signal: stage.signal }).catch(
      () => undefined,
    )
  }
}

/** How often each is done. */
const ACTS = {
  putSmall: 30,
  getSmall: 34,
  head: 8,
  list: 8,
  listSlowDirectory: 2,
  putLarge: 4,
  getLarge: 6,
  multipart: 2,
  remove: 4,
  missing: 4,
  forbidden: 2,
  asAccount: 8,
} as const

type Act = keyof typeof ACTS

function chosen(): Act {
  const total = Object.values(ACTS).reduce((sum, weight) => sum + weight, 0)
  let left = Math.random() * total
  for (const [act, weight] of Object.entries(ACTS) as [Act, number][]) {
    left -= weight
    if (left < 0) return act
  }
  return 'getSmall'
}

type Deeds = { readonly [K in Act | 'slowly']: () => Promise<void> }

class Client implements Deeds {
  readonly #number: number
  readonly #stage: Stage
  readonly #small: string[] = []
  #large: string | undefined
  #count = 0

  constructor(number: number, stage: Stage) {
    this.#number = number
    this.#stage = stage
  }

  async putSmall(): Promise<void> {
    const key = this.#newKey('small')
    await this.#put(key, randomBytes(200 + Math.floor(Math.random() * 64 * KIB)))
    this.#small.push(key)
    if (this.#small.length > 200) await this.remove()
  }

  async getSmall(): Promise<void> {
    const key = this.#small[Math.floor(Math.random() * this.#small.length)]
    if (key === undefined) return this.putSmall()
    await this.#do({ method: 'GET', path: key })
  }

  async head(): Promise<void> {
    await this.#do({ method: 'HEAD', path: this.#small.at(-1) ?? `/${BUCKET}/nothing` })
  }

  async list(): Promise<void> {
    await this.#do({
      method: 'GET',
      path: `/${BUCKET}?delimiter=%2F&list-type=2&prefix=client-${this.#number}%2F`,
    })
  }

  /** Whoever writes into it makes the next listing read it anew. */
  async listSlowDirectory(): Promise<void> {
    const { name } = SLOW_DIRECTORY
    await this.#put(`/${BUCKET}/${name}/client-${this.#number}`, randomBytes(10))
    await this.#do({ method: 'GET', path: `/${BUCKET}?list-type=2&prefix=${name}%2F` })
  }

  async putLarge(): Promise<void> {
    this.#large ??= `/${BUCKET}/client-${this.#number}/large`
    await this.#put(this.#large, randomBytes((4 + Math.floor(Math.random() * 20)) * MIB))
  }

  async getLarge(): Promise<void> {
    if (this.#large === undefined) return this.putLarge()
    const isPart = Math.random() < 0.5
    const headers = isPart ? { Range: `bytes=${MIB}-${3 * MIB}` } : {}
    await this.#do({ method: 'GET', path: this.#large, headers })
  }

  async multipart(): Promise<void> {
    const key = `/${BUCKET}/client-${this.#number}/multipart`
    const begun = await this.#do({ method: 'POST', path: `${key}?uploads=` })
    const [, uploadId] = /<UploadId>([^<]+)</.exec(begun.text) ?? []
    if (uploadId === undefined) return
    const etags: string[] = []
    for (let part = 1; part <= 3; part++) {
      const path = `${key}?partNumber=${part}&uploadId=${uploadId}`
      const { headers } = await this.#do({ method: 'PUT', path, body: randomBytes(5 * MIB) })
      etags.push(headers.etag ?? '')
    }
    const parts = etags.map(
      (etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${etag}</ETag></Part>`,
    )
    const body = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`
    await this.#do({ method: 'POST', path: `${key}?uploadId=${uploadId}`, body })
  }

  async remove(): Promise<void> {
    const key = this.#small.shift()
    if (key !== undefined) await this.#do({ method: 'DELETE', path: key })
  }

  async missing(): Promise<void> {
    await this.#do({ method: 'GET', path: `/${BUCKET}/client-${this.#number}/never-was` })
  }

  async forbidden(): Promise<void> {
    const as = { access: 'demo-guesser', secret: 'a wrong one' }
    await this.#do({ method: 'GET', path: `/${BUCKET}`, as })
  }

  /** An account that has to be fetched from its store, now and then while that is down. */
  async asAccount(): Promise<void> {
    const as = { access: `demo-user-${this.#number}`, secret: this.#stage.accountSecret }
    await this.#put(this.#newKey('account'), randomBytes(KIB), as)
  }

  /** Half a megabyte a second, there and back. */
  async slowly(): Promise<void> {
    const key = `/${BUCKET}/slow-client`
    const pace = 512 * KIB
    await this.#do({ method: 'PUT', path: key, body: randomBytes(MIB), pace })
    await this.#do({ method: 'GET', path: key, pace })
  }

  #newKey(kind: string): string {
    return `/${BUCKET}/client-${this.#number}/${kind}/${this.#count++}`
  }

  async #put(path: string, body: Buffer, as?: Credentials): Promise<void> {
    await this.#do({ method: 'PUT', path, body, ...(as && { as }) })
  }

  async #do(call: S3Call): Promise<S3Answer> {
    const answer = await this.#stage.call(call)
    const { score } = this.#stage
    score.requests++
    score.bytes += answer.bytes + Buffer.byteLength(call.body ?? '')
    if (answer.status >= 500) score.serverErrors++
    else if (answer.status >= 400) score.clientErrors++
    return answer
  }
}
