import { HeadObjectCommand } from '@aws-sdk/client-s3'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connect } from '../support/fixture.ts'
import { runProgram, scratch, startGateway } from '../support/gateway.ts'
import { findTool, run } from '../support/tools.ts'
import { attributesOf, setAttribute } from '../support/tree.ts'
import { versitygw } from '../support/versitygw.ts'

const LINE = /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d (.*)\n$/

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(scratch(), 'vgw-utils-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

describe('utils gen-event-filter-config (contract 1.5)', () => {
  test('15 events, sorted, indented by two, in place of what was there', async () => {
    const file = join(dir, 'event_config.json')
    writeFileSync(file, 'junk'.repeat(1000))
    chmodSync(file, 0o600)
    const { code, stdout, stderr } = await runProgram([
      'utils',
      'gen-event-filter-config',
      '--path',
      dir,
    ])
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' })
    const text = readFileSync(file, 'utf8')
    const events = JSON.parse(text) as Record<string, boolean>
    expect(Object.keys(events)).toHaveLength(15)
    expect(Object.keys(events)).toEqual(Object.keys(events).toSorted())
    expect(new Set(Object.values(events))).toEqual(new Set([true]))
    expect(text).toMatch(/^\{\n {2}"s3:ObjectAcl:Put": true,\n.*[^\n]\n\}$/s)
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  test('by its short name, as VersityGW writes it', async () => {
    await runProgram(['utils', 'gefc', '-p', dir])
    const ours = readFileSync(join(dir, 'event_config.json'), 'utf8')
    expect(
      ours
        .split('\n')
        .slice(1, -1)
        .map((line) => line.trim().replace(/,$/, '')),
    ).toEqual(
      [
        'ObjectAcl:Put',
        'ObjectCreated:*',
        'ObjectCreated:CompleteMultipartUpload',
        'ObjectCreated:Copy',
        'ObjectCreated:Post',
        'ObjectCreated:Put',
        'ObjectRemoved:*',
        'ObjectRemoved:Delete',
        'ObjectRemoved:DeleteObjects',
        'ObjectRestore:*',
        'ObjectRestore:Completed',
        'ObjectRestore:Post',
        'ObjectTagging:*',
        'ObjectTagging:Delete',
        'ObjectTagging:Put',
      ].map((event) => `"s3:${event}": true`),
    )
    if (versitygw === undefined) return
    await run(versitygw, ['utils', 'gefc', '-p', dir])
    expect(readFileSync(join(dir, 'event_config.json'), 'utf8')).toBe(ours)
  })

  test('a directory that is not there', async () => {
    const { code, stderr } = await runProgram(['utils', 'gefc', '-p', join(dir, 'nope')])
    expect([code, LINE.exec(stderr)?.[1]]).toEqual([
      1,
      expect.stringMatching(/^create config file: .*no such file or directory/),
    ])
  })
})

describe.skipIf(findTool('getfattr') === undefined)(
  'utils convert-xattr-metadata (contract 1.5)',
  () => {
    const put = (path: string, attributes: Record<string, string> = {}): void => {
      const file = join(dir, path)
      if (path.endsWith('/')) mkdirSync(file, { recursive: true })
      else writeFileSync(file, 'data')
      for (const [name, value] of Object.entries(attributes)) setAttribute(file, name, value)
    }
    const convert = async (): Promise<string> => {
      const { code, stdout, stderr } = await runProgram(['utils', 'cxm', dir])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      return stdout
    }
    const summary = (scanned: number, converted: number, skipped: number, errors = 0): string =>
      `xattr metadata conversion is finished:\n  directory: ${dir}\n  scanned: ${scanned}\n` +
      `  converted: ${converted}\n  skipped: ${skipped}\n  errors: ${errors}\n`

    test('files, directories, what is converted already, what has no attributes', async () => {
      put('bucket/', { acl: '{}' })
      put('bucket/old', { 'X-Amz-Meta.Color': 'blue', 'X-Amz-Meta.size': 'l"<&>', etag: '"e"' })
      put('bucket/deep/er/')
      put('bucket/deep/er/old', { 'X-Amz-Meta.k': '' })
      put('bucket/dir/', { 'X-Amz-Meta.of': 'a directory', etag: '"d"' })
      put('bucket/new', { metadata: '{"a":"b"}' })
      put('bucket/bare')
      put('bucket/.sgwtmp/multipart/')
      put('bucket/.sgwtmp/multipart/part', { 'X-Amz-Meta.p': '1' })
      utimesSync(join(dir, 'bucket/old'), 1, 1_577_836_800)
      expect(await convert()).toBe(summary(6, 4, 2))
      expect(attributesOf(join(dir, 'bucket/old'))).toEqual({
        etag: '"e"',
        metadata: '{"Color":"blue","size":"l\\"\\u003c\\u0026\\u003e"}',
      })
      expect(attributesOf(join(dir, 'bucket/deep/er/old'))).toEqual({ metadata: '{"k":""}' })
      expect(attributesOf(join(dir, 'bucket/dir'))).toEqual({
        etag: '"d"',
        metadata: '{"of":"a directory"}',
      })
      expect(attributesOf(join(dir, 'bucket/.sgwtmp/multipart/part'))).toEqual({
        metadata: '{"p":"1"}',
      })
      expect(statSync(join(dir, 'bucket/old')).mtimeMs).toBe(1_577_836_800_000)
      expect(await convert()).toBe(summary(6, 0, 6))
    })

    test('the gateway serves the same metadata before and after', async () => {
      put('bucket/')
      put('bucket/old', { 'X-Amz-Meta.color': 'blue', etag: '"e"' })
      await using gateway = await startGateway({ dir })
      const s3 = connect(gateway)
      const served = async () =>
        (await s3.send(new HeadObjectCommand({ Bucket: 'bucket', Key: 'old' }))).Metadata
      const before = await served()
      await convert()
      expect(before).toEqual({ color: 'blue' })
      expect(await served()).toEqual(before)
      s3.destroy()
    })

    // VersityGW replaces the map and loses what was in it.
    test('a file with both kinds keeps both', async () => {
      put('both', {
        'X-Amz-Meta.k': 'old',
        'X-Amz-Meta.l': 'old',
        metadata: '{"k":"new","m":"new"}',
      })
      expect(await convert()).toBe(summary(1, 1, 0))
      expect(attributesOf(join(dir, 'both'))).toEqual({
        metadata: '{"k":"new","l":"old","m":"new"}',
      })
    })

    test('links are not followed, and lead to no error', async () => {
      const outside = mkdtempSync(join(scratch(), 'vgw-outside-'))
      writeFileSync(join(outside, 'f'), '')
      setAttribute(join(outside, 'f'), 'X-Amz-Meta.k', 'v')
      symlinkSync(outside, join(dir, 'directory'))
      symlinkSync(join(outside, 'f'), join(dir, 'file'))
      symlinkSync('nowhere', join(dir, 'dangling'))
      expect(await convert()).toBe(summary(0, 0, 0))
      expect(attributesOf(join(outside, 'f'))).toEqual({ 'X-Amz-Meta.k': 'v' })
      rmSync(outside, { recursive: true })
    })

    test('arguments: exit 2 without a directory', async () => {
      const missing = await runProgram(['utils', 'convert-xattr-metadata'])
      expect([missing.code, missing.stderr]).toEqual([
        2,
        'missing directory: should be provided as command argument\n',
      ])
      put('file')
      const file = await runProgram(['utils', 'cxm', join(dir, 'file')])
      expect([file.code, file.stderr]).toEqual([2, `not a directory: ${join(dir, 'file')}\n`])
      const gone = await runProgram(['utils', 'cxm', join(dir, 'nope')])
      expect([gone.code, LINE.exec(gone.stderr)?.[1]]).toEqual([
        1,
        `stat directory: ${join(dir, 'nope')}: no such file or directory`,
      ])
    })
  },
)

test('utils that there are none of', async () => {
  const { code, stderr } = await runProgram(['utils', 'bogus'])
  expect([code, stderr]).toEqual([3, "No help topic for 'bogus'\n"])
})
