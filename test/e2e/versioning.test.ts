import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { errorElements } from '../support/compat.ts'
import { attributesOf, treeOf } from '../support/tree.ts'
import { ULID, UNKNOWN, idOf, useVersioning } from '../support/versioning.ts'

const at = useVersioning(25)
const { versions, setVersioning, versioned, put, get, remove, complete, kept } = at

describe('bucket versioning', () => {
  test('contract 2.5: nothing is said of a bucket that never had it, then what was put', async () => {
    const bucket = await at.bucket()
    const read = async (): Promise<string> => (await at.send('GET', `/${bucket}?versioning`)).text
    const document = (status: string): string =>
      `<?xml version="1.0" encoding="UTF-8"?>\n<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${status}</VersioningConfiguration>`
    expect(await read()).toBe(document(''))
    for (const [status, byte] of [
      ['Enabled', 1],
      ['Suspended', 0],
    ] as const) {
      expect((await setVersioning(bucket, status)).status).toBe(200)
      expect(await read()).toBe(document(`<Status>${status}</Status>`))
      expect(attributesOf(at.path(bucket))['versioning']).toBe(String.fromCodePoint(byte))
    }
  })

  test.each(['Foo', 'enabled', ''])(
    'contract 6.4: MalformedXML for the status %j',
    async (status) => {
      const { status: code, element } = await setVersioning(await at.bucket(), status)
      expect([code, element('Code')]).toEqual([400, 'MalformedXML'])
    },
  )

  test('contract 6.2: a body is required', async () => {
    const { element } = await at.send('PUT', `/${await at.bucket()}?versioning`)
    expect(element('Code')).toBe('MissingRequestBodyError')
  })

  test('contract 4.7: versioning of a bucket with object lock cannot be suspended', async () => {
    const bucket = `locked-${process.pid}`
    const headers = { 'x-amz-bucket-object-lock-enabled': 'true' }
    expect((await at.send('PUT', `/${bucket}`, { headers })).status).toBe(200)
    const refused = await setVersioning(bucket, 'Suspended')
    expect([refused.status, refused.element('Code'), refused.element('Message')]).toEqual([
      400,
      'InvalidBucketState',
      'An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.',
    ])
    expect((await setVersioning(bucket, 'Enabled')).status).toBe(200)
  })
})

describe('an enabled bucket', () => {
  test('contract 3.6: keeps each version with all that it has, under its id', async () => {
    const bucket = await at.bucket()
    const described = { 'Content-Type': 'text/x', 'x-amz-meta-a': 'b', 'x-amz-tagging': 'c=d' }
    await at.send('PUT', `/${bucket}/a/b.txt`, { body: 'zero', headers: described })
    const before = await at.send('HEAD', `/${bucket}/a/b.txt`)
    expect(idOf(before)).toBeUndefined()
    await setVersioning(bucket, 'Enabled')
    const ids = [await put(bucket, 'a/b.txt', 'one'), await put(bucket, 'a/b.txt', 'two')]
    for (const id of ids) expect(id).toMatch(ULID)
    expect(String(ids[0]) < String(ids[1])).toBe(true)

    const hash = '5550000d3b1c'
    const [first = '', second = ''] = ids
    const files = treeOf(join(versions, bucket)).filter((path) => !path.endsWith('/'))
    expect(files.map((path) => path.slice(0, 21))).toEqual(files.map(() => `55/50/00/${hash}`))
    expect(kept(bucket)).toEqual([first, 'null'])
    expect(await get(bucket, 'a/b.txt')).toEqual([200, 'two', second])
    expect(await get(bucket, 'a/b.txt', second)).toEqual([200, 'two', second])
    expect(await get(bucket, 'a/b.txt', first)).toEqual([200, 'one', first])
    expect(await get(bucket, 'a/b.txt', 'null')).toEqual([200, 'zero', 'null'])
    const old = await at.send('HEAD', `/${bucket}/a/b.txt?versionId=null`)
    for (const name of [
      'etag',
      'content-type',
      'last-modified',
      'x-amz-meta-a',
      'x-amz-tagging-count',
    ])
      expect([name, old.header(name)]).toEqual([name, before.header(name)])
  })

  test.each([
    ['GET', UNKNOWN, 404, 'NoSuchVersion'],
    ['GET', UNKNOWN.toLowerCase(), 404, 'NoSuchVersion'],
    ['GET', 'null', 404, 'NoSuchVersion'],
    ['GET', 'abc', 400, 'InvalidArgument'],
    ['GET', '../../../../../../../../ab', 400, 'InvalidArgument'],
    ['DELETE', 'abc', 400, 'InvalidArgument'],
    ['DELETE', UNKNOWN, 400, 'InvalidArgument'],
    ['DELETE', 'null', 400, 'InvalidArgument'],
  ])('contract 3.6: %s of version %s of an object', async (method, id, status, code) => {
    const bucket = await versioned()
    await put(bucket, 'k', 'x')
    const answer = await at.send(method, `/${bucket}/k?versionId=${encodeURIComponent(id)}`)
    const { Key, VersionId, ArgumentName, ArgumentValue } = errorElements(answer.text)
    expect([answer.status, answer.element('Code')]).toEqual([status, code])
    if (code === 'NoSuchVersion') expect([Key, VersionId]).toEqual(['k', id])
    else expect([ArgumentName, ArgumentValue]).toEqual(['versionId', id])
    expect((await get(bucket, 'k'))[1]).toBe('x')
  })

  test('contract 3.6: without a key there is no version, and deleting one is no error', async () => {
    const bucket = await versioned()
    expect((await get(bucket, 'k', UNKNOWN)).slice(0, 2)).toEqual([404, 'NoSuchKey'])
    const deleted = await remove(bucket, 'k', UNKNOWN)
    expect([deleted.status, idOf(deleted)]).toEqual([204, UNKNOWN])
  })

  test('contract 3.6: a delete marker takes the place of what is deleted', async () => {
    const bucket = await versioned()
    const id = await put(bucket, 'k', 'x')
    const deleted = await remove(bucket, 'k')
    const marker = idOf(deleted) ?? ''
    expect([deleted.status, deleted.header('x-amz-delete-marker')]).toEqual([204, 'true'])
    expect(marker).toMatch(ULID)
    expect(Object.keys(attributesOf(at.path(bucket, 'k'))).toSorted()).toEqual([
      'delete-marker',
      'version-id',
    ])

    const answers = {
      GET: [404, 'NoSuchKey', 'true'],
      HEAD: [404, undefined, undefined],
      [`GET ${marker}`]: [405, 'MethodNotAllowed', 'true'],
      [`HEAD ${marker}`]: [405, undefined, 'true'],
    }
    for (const [request, expected] of Object.entries(answers)) {
      const [method = '', asked] = request.split(' ')
      const target = `/${bucket}/k${asked === undefined ? '' : `?versionId=${asked}`}`
      const answer = await at.send(method, target)
      const isTold = answer.header('x-amz-delete-marker')
      expect([answer.status, answer.element('Code'), isTold]).toEqual(expected)
      expect(answer.header('last-modified') !== undefined).toBe(isTold === 'true')
      expect(answer.text).not.toContain('<ResourceType>')
    }
    expect(await get(bucket, 'k', id)).toEqual([200, 'x', id])
    expect((await at.send('GET', `/${bucket}?list-type=2`)).elements('Key')).toEqual([])

    // The marker deleted, what it had taken the place of is there again.
    const undeleted = await remove(bucket, 'k', marker)
    expect([undeleted.status, undeleted.header('x-amz-delete-marker'), idOf(undeleted)]).toEqual([
      204,
      'true',
      marker,
    ])
    expect(await get(bucket, 'k')).toEqual([200, 'x', id])
    expect(kept(bucket)).toEqual([])
  })

  test('contract 9.1, 14: a missing key gets no delete marker', async () => {
    const bucket = await versioned()
    const deleted = await remove(bucket, 'missing')
    expect([deleted.status, idOf(deleted), deleted.header('x-amz-delete-marker')]).toEqual([
      204,
      undefined,
      undefined,
    ])
    expect(treeOf(at.path(bucket)).filter((path) => !path.startsWith('.sgwtmp'))).toEqual([])
  })

  test('the last version gone, nothing is left: neither file nor directory', async () => {
    const bucket = await versioned()
    const ids = [await put(bucket, 'd/e/k', '1'), await put(bucket, 'd/e/k', '2')]
    ids.push(idOf(await remove(bucket, 'd/e/k')))
    for (const id of ids) {
      const deleted = await remove(bucket, 'd/e/k', id)
      expect([deleted.status, idOf(deleted)]).toEqual([204, id])
    }
    expect(treeOf(at.path(bucket)).filter((path) => !path.startsWith('.sgwtmp'))).toEqual([])
    expect(treeOf(join(versions, bucket))).toEqual([])
    expect((await at.send('DELETE', `/${bucket}`)).status).toBe(204)
    expect(readdirSync(versions)).not.toContain(bucket)
  })

  test('contract 2.5: it cannot be deleted while there are versions', async () => {
    const bucket = await versioned()
    await put(bucket, 'k', '1')
    await put(bucket, 'k', '2')
    const refused = await at.send('DELETE', `/${bucket}`)
    expect([refused.status, refused.element('Code'), refused.element('Message')]).toEqual([
      409,
      'BucketNotEmpty',
      'The bucket you tried to delete is not empty. You must delete all versions in the bucket.',
    ])
  })

  test('directories that a killed process left do not keep it', async () => {
    const bucket = await versioned()
    mkdirSync(join(versions, bucket, '55/50/00'), { recursive: true })
    mkdirSync(join(versions, bucket, '.sgwtmp'), { recursive: true })
    writeFileSync(join(versions, bucket, '.sgwtmp', 'tmp.x'), '')
    expect((await at.send('DELETE', `/${bucket}`)).status).toBe(204)
    expect(readdirSync(versions)).not.toContain(bucket)
  })

  test('contract 2.3: directory objects have no versions', async () => {
    const bucket = await versioned()
    expect(await put(bucket, 'd/', '')).toBeUndefined()
    expect(await get(bucket, 'd/')).toEqual([200, '', undefined])
    expect(await get(bucket, 'd/', 'null')).toEqual([200, '', 'null'])
    expect((await get(bucket, 'd/', UNKNOWN)).slice(0, 2)).toEqual([404, 'NoSuchVersion'])
    expect((await remove(bucket, 'd/', UNKNOWN)).element('Code')).toBe('InvalidArgument')
    const deleted = await remove(bucket, 'd/')
    expect([deleted.status, deleted.header('x-amz-delete-marker')]).toEqual([204, undefined])
    expect((await get(bucket, 'd/'))[1]).toBe('NoSuchKey')
  })
})

describe('a suspended bucket', () => {
  test('contract 3.6: a null version takes the place of the null version before, and of no other', async () => {
    const bucket = await at.bucket()
    await put(bucket, 'k', 'null 1')
    await setVersioning(bucket, 'Enabled')
    const id = await put(bucket, 'k', 'one')
    await setVersioning(bucket, 'Suspended')
    expect(await put(bucket, 'k', 'null 2')).toBeUndefined()
    expect(kept(bucket)).toEqual([id])
    expect(await get(bucket, 'k')).toEqual([200, 'null 2', undefined])
    expect(await get(bucket, 'k', 'null')).toEqual([200, 'null 2', 'null'])
    expect(await get(bucket, 'k', id)).toEqual([200, 'one', id])
    await put(bucket, 'k', 'null 3')
    expect([kept(bucket), await get(bucket, 'k', 'null')]).toEqual([[id], [200, 'null 3', 'null']])
  })

  test('contract 3.6: its delete marker is the null version', async () => {
    const bucket = await versioned()
    const id = await put(bucket, 'k', 'one')
    await setVersioning(bucket, 'Suspended')
    const deleted = await remove(bucket, 'k')
    expect([deleted.status, deleted.header('x-amz-delete-marker'), idOf(deleted)]).toEqual([
      204,
      'true',
      'null',
    ])
    expect(kept(bucket)).toEqual([id])
    expect((await get(bucket, 'k')).slice(0, 2)).toEqual([404, 'NoSuchKey'])
    expect((await get(bucket, 'k', 'null')).slice(0, 2)).toEqual([405, 'MethodNotAllowed'])
    await put(bucket, 'k', 'null')
    expect([kept(bucket), (await get(bucket, 'k'))[1]]).toEqual([[id], 'null'])
    await remove(bucket, 'k', 'null')
    expect(await get(bucket, 'k')).toEqual([200, 'one', id])
  })

  test('contract 9.2, 4: deleting the current version brings back the newest one, not the null one', async () => {
    const bucket = await at.bucket()
    await put(bucket, 'k', 'null')
    await setVersioning(bucket, 'Enabled')
    const ids = [await put(bucket, 'k', 'one'), await put(bucket, 'k', 'two')]
    await remove(bucket, 'k', ids[1])
    expect(await get(bucket, 'k')).toEqual([200, 'one', ids[0]])
    await remove(bucket, 'k', ids[0])
    expect(await get(bucket, 'k')).toEqual([200, 'null', undefined])
  })

  test('and the null one where that is the newest', async () => {
    const bucket = await versioned()
    const first = await put(bucket, 'k', 'one')
    await setVersioning(bucket, 'Suspended')
    await put(bucket, 'k', 'null')
    await setVersioning(bucket, 'Enabled')
    const last = await put(bucket, 'k', 'two')
    await remove(bucket, 'k', last)
    expect(await get(bucket, 'k')).toEqual([200, 'null', undefined])
    await remove(bucket, 'k', 'null')
    expect(await get(bucket, 'k')).toEqual([200, 'one', first])
  })

  test('contract 9.2, 5: CompleteMultipartUpload keeps a version that it replaces', async () => {
    const bucket = await versioned()
    const id = await put(bucket, 'k', 'one')
    await setVersioning(bucket, 'Suspended')
    const completed = await complete(bucket, 'k', 'parts')
    expect([completed.status, idOf(completed)]).toEqual([200, undefined])
    expect(await get(bucket, 'k')).toEqual([200, 'parts', undefined])
    expect(await get(bucket, 'k', id)).toEqual([200, 'one', id])
  })
})
