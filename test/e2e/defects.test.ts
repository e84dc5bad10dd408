import { ListBucketsCommand } from '@aws-sdk/client-s3'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect, failure, useGateway } from '../support/fixture.ts'
import { startGateway } from '../support/gateway.ts'

/** Defects of VersityGW that are mended (contract 9.2) and have no better place; docs/compat.md tells where each of them is tested. */
const place = mkdtempSync(join(tmpdir(), 'defects-'))
const at = useGateway(() => {
  for (const name of ['data', 'iam']) mkdirSync(join(place, name))
  return { dir: join(place, 'data') }
})
afterAll(() => rmSync(place, { recursive: true, force: true }))
let bucket = ''

beforeAll(async () => {
  bucket = await at.bucket()
})

describe('contract 9.2, 17: what a client gets wrong is no InternalError', () => {
  test.each(['%', '%4', '%zz', 'a%FF', 'a%C3'])('a key that is no text: %s', async (key) => {
    for (const method of ['GET', 'PUT']) {
      const { status, code } = await at.send(method, `/${bucket}/${key}`)
      expect([method, status, code]).toEqual([method, 400, 'InvalidURI'])
    }
  })

  test.each(['3', '500', '99999999999', '-1', 'x'])(
    'a decoded length that does not belong there: %s',
    async (length) => {
      const { status } = await at.send('PUT', `/${bucket}/k`, {
        body: 'hello',
        headers: { 'x-amz-decoded-content-length': length },
      })
      expect(status).toBeLessThan(500)
      const got = await at.send('GET', `/${bucket}/k`)
      if (status === 200) expect(got.text).toBe('hello')
      else expect(got.status).toBe(404)
    },
  )
})

describe('contract 9.2, 22', () => {
  test('a relative directory is served, and --iam-debug tells of the calls of the account store', async () => {
    await using gateway = await startGateway({
      cwd: place,
      dir: 'data',
      flags: ['--iam-dir', 'iam', '--iam-debug'],
    })
    const client = connect(gateway, {
      credentials: { accessKeyId: 'nobody', secretAccessKey: 'not-there' },
    })
    const unknown = await failure(client.send(new ListBucketsCommand()))
    client.destroy()
    expect(unknown.name).toBe('InvalidAccessKeyId')
    const own = connect(gateway)
    const { Buckets = [] } = await own.send(new ListBucketsCommand())
    own.destroy()
    expect(Buckets.map(({ Name }) => Name)).toContain(bucket)
    expect(gateway.stdout + gateway.stderr).toMatch(/iam.*nobody|nobody.*iam/i)
  })
})
