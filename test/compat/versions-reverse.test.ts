import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { comparableHeaders } from '../support/compat.ts'
import { useGateway } from '../support/fixture.ts'
import { scratch } from '../support/gateway.ts'
import { startUpload } from '../support/multipart.ts'
import { exchange, type RawResponse } from '../support/raw-http.ts'
import { startVersitygw, versitygw, type PeerGateway } from '../support/versitygw.ts'

const base = mkdtempSync(join(scratch(), 'vgw-versions-'))
afterAll(() => rmSync(base, { recursive: true, force: true }))

/** Where attributes are kept. */
const STORES = [
  { name: 'extended attributes', withSidecar: false },
  { name: 'a sidecar directory', withSidecar: true },
]

describe.skipIf(versitygw === undefined).each(STORES)(
  'Versions that VersityGW and we take turns at ($name)',
  ({ name, withSidecar }) => {
    const [versions, sidecar] = [join(base, name, 'versions'), join(base, name, 'sidecar')]
    for (const dir of [versions, sidecar]) mkdirSync(dir, { recursive: true })
    const posixFlags = [
      '--versioning-dir',
      versions,
      ...(withSidecar ? ['--sidecar', sidecar] : []),
    ]
    const at = useGateway({ posixFlags })
    const bucket = 'both'
    let peer: PeerGateway | undefined

    type Send = (method: string, target: string, body?: string) => Promise<RawResponse>
    const ours: Send = (method, target, body) =>
      at.send(method, target, body === undefined ? {} : { body })
    const theirs: Send = (method, target, body) => {
      const port = peer?.port ?? 0
      const request = {
        headers: { Host: `127.0.0.1:${port}` },
        ...(body === undefined ? {} : { body }),
      }
      const bytes = Buffer.concat([at.head(method, target, request), Buffer.from(body ?? '')])
      return exchange(port, bytes, { head: method === 'HEAD' })
    }
    const idOf = (answer: RawResponse): string => answer.header('x-amz-version-id') ?? 'null'
    const setVersioning = (send: Send, status: string): Promise<RawResponse> =>
      send(
        'PUT',
        `/${bucket}?versioning`,
        `<VersioningConfiguration><Status>${status}</Status></VersioningConfiguration>`,
      )

    /** Ids of a key, as a listing tells them: markers and versions. */
    const list = async (send: Send, key: string): Promise<unknown> => {
      const { text } = await send('GET', `/${bucket}?versions&prefix=${key}`)
      return [...text.matchAll(/<(Version|DeleteMarker)>(.*?)<\/\1>/gs)]
        .map(([, kind, inner = '']) => [
          kind,
          /<VersionId>(.*?)</.exec(inner)?.[1],
          /<IsLatest>(.*?)</.exec(inner)?.[1],
        ])
        .toSorted((a, b) => (String(a) < String(b) ? -1 : 1))
    }

    /** The same answer from both, by its id and, of the current one, without. */
    const expectSame = async (key: string, id?: string): Promise<void> => {
      const target = `/${bucket}/${key}${id === undefined ? '' : `?versionId=${id}`}`
      const [a, b] = [await ours('GET', target), await theirs('GET', target)]
      expect([target, b.status, comparableHeaders(b), b.text]).toEqual([
        target,
        a.status,
        comparableHeaders(a),
        a.text.replaceAll(/<(RequestId|HostId)>[^<]*/g, (_, name: string) => {
          const theirId = new RegExp(`<${name}>[^<]*`).exec(b.text)
          return theirId?.[0] ?? ''
        }),
      ])
    }

    beforeAll(async () => {
      await ours('PUT', `/${bucket}`)
      const { credentials } = at
      peer = await startVersitygw({ credentials, flags: [], posixFlags, data: at.gateway.dir })
    })
    afterAll(() => peer?.[Symbol.asyncDispose]())

    test('what we wrote: null, versions, a delete marker, parts', async () => {
      await ours('PUT', `/${bucket}/a`, 'null')
      await setVersioning(ours, 'Enabled')
      const ids = ['null']
      for (const body of ['one', 'two']) ids.push(idOf(await ours('PUT', `/${bucket}/a`, body)))
      const upload = await startUpload(at, ['parts'], { bucket, key: 'a' })
      ids.push(idOf(await upload.complete()))
      ids.push(idOf(await ours('DELETE', `/${bucket}/a`)))
      expect(new Set(ids).size).toBe(5)
      for (const id of [undefined, ...ids]) await expectSame('a', id)
      expect(await list(theirs, 'a')).toEqual(await list(ours, 'a'))
    })

    test('what both did, one after the other', async () => {
      const sends = [theirs, ours]
      const ids: string[] = []
      for (let i = 0; i < 6; i++)
        ids.push(idOf(await (sends[i % 2] ?? ours)('PUT', `/${bucket}/turns`, `body ${i}`)))
      ids.push(idOf(await theirs('DELETE', `/${bucket}/turns`)))
      ids.push(idOf(await ours('DELETE', `/${bucket}/turns`)))
      expect(new Set(ids).size).toBe(8)
      for (const id of ids) await expectSame('turns', id)
      expect(await list(theirs, 'turns')).toEqual(await list(ours, 'turns'))
      // Back again, newest first: each deletes what the other one made.
      for (let i = 7; i >= 1; i--) {
        const deleted = await (sends[i % 2] ?? ours)(
          'DELETE',
          `/${bucket}/turns?versionId=${ids[i]}`,
        )
        expect([deleted.status, idOf(deleted)]).toEqual([204, ids[i]])
        const current = await ours('GET', `/${bucket}/turns`)
        const isMarker = i - 1 >= 6
        expect([i, current.status]).toEqual([i, isMarker ? 404 : 200])
        if (!isMarker) expect([idOf(current), current.text]).toEqual([ids[i - 1], `body ${i - 1}`])
        await expectSame('turns')
      }
    })

    test('null versions of a suspended bucket', async () => {
      await setVersioning(ours, 'Enabled')
      const id = idOf(await theirs('PUT', `/${bucket}/s`, 'one'))
      await setVersioning(theirs, 'Suspended')
      for (const [send, body] of [
        [ours, 'ours'],
        [theirs, 'theirs'],
        [ours, 'ours again'],
      ] as const) {
        expect((await send('PUT', `/${bucket}/s`, body)).status).toBe(200)
        for (const version of [undefined, 'null', id]) await expectSame('s', version)
        expect((await ours('GET', `/${bucket}/s?versionId=null`)).text).toBe(body)
        expect(await list(theirs, 's')).toEqual(await list(ours, 's'))
      }
      await ours('DELETE', `/${bucket}/s`)
      for (const version of [undefined, 'null', id]) await expectSame('s', version)
      await theirs('DELETE', `/${bucket}/s?versionId=null`)
      for (const version of [undefined, id]) await expectSame('s', version)
    })

    test('a bucket with versions is deleted by neither, then by us', async () => {
      await setVersioning(ours, 'Enabled')
      for (const send of [theirs, ours])
        expect((await send('DELETE', `/${bucket}`)).element('Code')).toBe('BucketNotEmpty')
      const { text } = await ours('GET', `/${bucket}?versions`)
      for (const [, , inner = ''] of text.matchAll(/<(Version|DeleteMarker)>(.*?)<\/\1>/gs)) {
        const key = /<Key>(.*?)</.exec(inner)?.[1] ?? ''
        await ours('DELETE', `/${bucket}/${key}?versionId=${/<VersionId>(.*?)</.exec(inner)?.[1]}`)
      }
      expect((await ours('DELETE', `/${bucket}`)).status).toBe(204)
    })
  },
)
