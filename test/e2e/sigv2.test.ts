import { createHmac } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'
import { formBody, formType } from '../support/post-form.ts'

/** Signature Version 2, for clients that know no other: https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html */
const at = useGateway({ flags: ['--sigv2'] })
let bucket = ''

beforeAll(async () => {
  bucket = await at.bucket()
})

const sign = (text: string): string =>
  createHmac('sha1', at.credentials.secret).update(text).digest('base64')

function header(method: string, resource: string, type = ''): Record<string, string> {
  const date = new Date().toUTCString()
  const signature = sign(`${method}\n\n${type}\n${date}\n${resource}`)
  const headers = { Date: date, Authorization: `AWS ${at.credentials.access}:${signature}` }
  return type === '' ? headers : { ...headers, 'Content-Type': type }
}

function url(method: string, resource: string, secondsFromNow = 60): string {
  const expires = Math.floor(Date.now() / 1000) + secondsFromNow
  const signature = encodeURIComponent(sign(`${method}\n\n\n${expires}\n${resource}`))
  const mark = resource.includes('?') ? '&' : '?'
  return `${resource}${mark}AWSAccessKeyId=${at.credentials.access}&Signature=${signature}&Expires=${expires}`
}

describe('by the header', () => {
  test('an object is written, read, listed and deleted', async () => {
    const key = `/${bucket}/a%20b`
    const put = await at.send('PUT', key, {
      headers: header('PUT', key, 'text/x'),
      body: 'hello',
      sign: false,
    })
    expect(put.status).toBe(200)
    const got = await at.send('GET', key, { headers: header('GET', key), sign: false })
    expect([got.text, got.header('content-type')]).toEqual(['hello', 'text/x'])
    const list = await at.send('GET', `/${bucket}?prefix=a`, {
      headers: header('GET', `/${bucket}`),
      sign: false,
    })
    expect(list.elements('Key')).toEqual(['a b'])
    const gone = await at.send('DELETE', key, { headers: header('DELETE', key), sign: false })
    expect(gone.status).toBe(204)
  })

  test('a sub-resource is part of what is signed', async () => {
    const target = `/${bucket}?acl`
    const signed = await at.send('GET', target, { headers: header('GET', target), sign: false })
    expect(signed.status).toBe(200)
    const moved = await at.send('GET', target, {
      headers: header('GET', `/${bucket}`),
      sign: false,
    })
    expect([moved.status, moved.code]).toEqual([403, 'SignatureDoesNotMatch'])
  })

  test('a bucket is signed with or without the slash behind it', async () => {
    for (const resource of [`/${bucket}`, `/${bucket}/`]) {
      const headers = header('GET', resource)
      expect((await at.send('GET', `/${bucket}`, { headers, sign: false })).status).toBe(200)
    }
  })

  test('version 4 goes on beside it', async () => {
    expect((await at.send('GET', `/${bucket}`)).status).toBe(200)
  })
})

describe('by a URL', () => {
  test('it is good for what it was made for, until it expires', async () => {
    await at.send('PUT', `/${bucket}/k`, { body: 'content' })
    const target = url('GET', `/${bucket}/k`)
    expect((await at.send('GET', target, { sign: false })).text).toBe('content')
    const cases = [
      at.send('DELETE', target, { sign: false }),
      at.send('GET', target.replace('/k?', '/other?'), { sign: false }),
      at.send('GET', `${target}&tagging`, { sign: false }),
      at.send('GET', `${target}&response-content-type=text%2Fhtml`, { sign: false }),
      at.send('GET', target, { sign: false, headers: { 'x-amz-meta-a': 'b' } }),
    ]
    for (const { status, code } of await Promise.all(cases))
      expect([status, code]).toEqual([403, 'SignatureDoesNotMatch'])
    const late = await at.send('GET', url('GET', `/${bucket}/k`, -1), { sign: false })
    expect([late.status, late.message]).toEqual([403, 'Request has expired.'])
  })
})

describe('by a form', () => {
  const fields = (text: string, signature = sign(text)): [string, string][] => [
    ['key', 'by-form'],
    ['AWSAccessKeyId', at.credentials.access],
    ['policy', text],
    ['signature', signature],
  ]
  const policy = (expiresMs = 60_000): string => {
    const expiration = new Date(Date.now() + expiresMs).toISOString()
    const conditions = [{ bucket }, ['starts-with', '$key', 'by-']]
    return Buffer.from(JSON.stringify({ expiration, conditions })).toString('base64')
  }
  const post = (list: [string, string][]) =>
    at.send('POST', `/${bucket}`, {
      sign: false,
      headers: { 'Content-Type': formType() },
      body: formBody({ fields: list }, bucket),
    })

  test('its policy is what is signed, and holds', async () => {
    expect((await post(fields(policy()))).status).toBe(204)
    expect(readFileSync(at.path(bucket, 'by-form'), 'utf8')).toBe('hello')
    const other = fields(policy()).map(([name, value]): [string, string] =>
      name === 'key' ? ['key', 'elsewhere'] : [name, value],
    )
    expect([(await post(other)).status, existsSync(at.path(bucket, 'elsewhere'))]).toEqual([
      403,
      false,
    ])
    const wrong = await post(fields(policy(), sign('another policy')))
    expect([wrong.status, wrong.code]).toEqual([403, 'SignatureDoesNotMatch'])
    const late = await post(fields(policy(-1000)))
    expect([late.status, late.message]).toEqual([
      403,
      'Invalid according to Policy: Policy expired.',
    ])
    const unsigned = await post(fields(policy()).filter(([name]) => name !== 'signature'))
    expect([unsigned.status, unsigned.code]).toEqual([400, 'InvalidArgument'])
  })
})
