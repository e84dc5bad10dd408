import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'
import { scratch } from '../support/gateway.ts'
import { deleteMany } from '../support/lock-doors.ts'

describe('versions in --dialect aws', () => {
  const versions = mkdtempSync(join(scratch(), 'vgw-versions-'))
  afterAll(() => rmSync(versions, { recursive: true, force: true }))
  const at = useGateway({ flags: ['--dialect', 'aws'], posixFlags: ['--versioning-dir', versions] })

  test('what is not there is marked as deleted, and HEAD tells', async () => {
    const bucket = 'marked-in-dialect'
    const headers = { 'x-amz-bucket-object-lock-enabled': 'true' }
    expect((await at.send('PUT', `/${bucket}`, { headers })).status).toBe(200)
    const one = await at.send('DELETE', `/${bucket}/dir/none`)
    const many = await deleteMany(at, bucket, ['never'])
    expect([one.header('x-amz-delete-marker'), many.element('DeleteMarker')]).toEqual([
      'true',
      'true',
    ])
    const versions = await at.send('GET', `/${bucket}?versions`)
    expect(versions.elements('Key')).toEqual(['dir/none', 'never'])
    expect(versions.elements('VersionId').slice(0, 2)).toEqual([
      one.header('x-amz-version-id'),
      many.element('DeleteMarkerVersionId'),
    ])
    const head = await at.send('HEAD', `/${bucket}/never`)
    expect([head.status, head.header('x-amz-delete-marker')]).toEqual([404, 'true'])
    const held = await at.send('DELETE', `/${bucket}/other`, { headers: { 'If-Match': '*' } })
    expect(held.header('x-amz-delete-marker')).toBeUndefined()
  })
})
