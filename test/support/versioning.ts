import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { errorElements } from './compat.ts'
import { useGateway, type Fixture } from './fixture.ts'
import { scratch } from './gateway.ts'
import { startUpload } from './multipart.ts'
import type { RawResponse } from './raw-http.ts'
import { treeOf } from './tree.ts'

export const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/
/** The id of no version. */
export const UNKNOWN = '01ARZ3NDEKTSV4RRFFQ69G5FAV'

export interface VersioningFixture extends Fixture {
  /** Where old versions lie. */
  readonly versions: string
  readonly setVersioning: (bucket: string, status: string) => Promise<RawResponse>
  /** A new bucket with versioning. */
  readonly versioned: () => Promise<string>
  /** Puts an object; gives back the version it became. */
  readonly put: (bucket: string, key: string, body: string) => Promise<string | undefined>
  /** Status, body or error code, and the version told. */
  readonly get: (bucket: string, key: string, versionId?: string) => Promise<unknown[]>
  readonly remove: (bucket: string, key: string, versionId?: string) => Promise<RawResponse>
  /** Uploads one part and completes. */
  readonly complete: (bucket: string, key: string, body: string) => Promise<RawResponse>
  /** Names of the superseded versions of the only key. */
  readonly kept: (bucket: string) => string[]
}

export const idOf = (answer: RawResponse): string | undefined => answer.header('x-amz-version-id')

/** A gateway with a place for versions. Buckets with versioning are made side by side: each takes half a second. */
export function useVersioning(buckets: number): VersioningFixture {
  const versions = mkdtempSync(join(scratch(), 'vgw-versions-'))
  afterAll(() => rmSync(versions, { recursive: true, force: true }))
  const at = useGateway({ posixFlags: ['--versioning-dir', versions, '--durability', 'none'] })
  const ready: string[] = []
  const target = (bucket: string, key: string, versionId: string | undefined): string =>
    `/${bucket}/${key}${versionId === undefined ? '' : `?versionId=${versionId}`}`
  const more = {
    versions,
    setVersioning: (bucket: string, status: string): Promise<RawResponse> =>
      at.send('PUT', `/${bucket}?versioning`, {
        body: `<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>${status}</Status></VersioningConfiguration>`,
      }),
    async versioned(): Promise<string> {
      return ready.pop() ?? Promise.reject(new Error('more buckets than were made'))
    },
    async put(bucket: string, key: string, body: string): Promise<string | undefined> {
      const answer = await at.send('PUT', `/${bucket}/${key}`, { body })
      expect([answer.status, answer.text]).toEqual([200, ''])
      return idOf(answer)
    },
    async get(bucket: string, key: string, versionId?: string): Promise<unknown[]> {
      const answer = await at.send('GET', target(bucket, key, versionId))
      const code = errorElements(answer.text)['Code']
      return [answer.status, code ?? answer.text, idOf(answer)]
    },
    remove: (bucket: string, key: string, versionId?: string): Promise<RawResponse> =>
      at.send('DELETE', target(bucket, key, versionId)),
    complete: async (bucket: string, key: string, body: string): Promise<RawResponse> =>
      (await startUpload(at, [body], { bucket, key })).complete(),
    kept: (bucket: string): string[] =>
      treeOf(join(versions, bucket))
        .filter((path) => !path.endsWith('/') && !path.startsWith('.sgwtmp'))
        .map((path) => path.slice(path.lastIndexOf('/') + 1)),
  }
  beforeAll(async () => {
    ready.push(...(await Promise.all(Array.from({ length: buckets }, () => at.bucket()))))
    await Promise.all(ready.map((bucket) => more.setVersioning(bucket, 'Enabled')))
  })
  return Object.assign(Object.create(at) as Fixture, more)
}
