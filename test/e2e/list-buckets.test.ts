import { ListBucketsCommand } from '@aws-sdk/client-s3'
import {
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'
import { scratch } from '../support/gateway.ts'

const at = useGateway()

beforeAll(async () => {
  for (const name of ['bkt-one', 'bkt-two', 'other']) await at.send('PUT', `/${name}`)
  writeFileSync(join(at.gateway.dir, 'no-bucket'), 'a file')
  symlinkSync('other', join(at.gateway.dir, 'linked'))
})

describe('ListBuckets', () => {
  test('the document (contract 6.3); files and links are no buckets', async () => {
    const { status, text, header } = await at.send('GET', '/')
    expect([status, header('content-type')]).toEqual([200, 'application/xml'])
    const created = (name: string): string =>
      new Date(Math.floor(statSync(at.path(name)).mtimeMs / 1000) * 1000)
        .toISOString()
        .replace('.000', '')
    const bucket = (name: string): string =>
      `<Bucket><CreationDate>${created(name)}</CreationDate><Name>${name}</Name><BucketRegion>us-east-1</BucketRegion></Bucket>`
    expect(text).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
        `<Owner><ID>${at.credentials.access}</ID><DisplayName></DisplayName></Owner>` +
        `<Buckets>${bucket('bkt-one')}${bucket('bkt-two')}${bucket('other')}</Buckets></ListAllMyBucketsResult>`,
    )
  })

  test('directories made by hand are buckets; temporary ones are not', async () => {
    mkdirSync(join(at.gateway.dir, 'by-hand'))
    mkdirSync(join(at.gateway.dir, '.sgwtmp'))
    const { Buckets } = await at.s3.send(new ListBucketsCommand({}))
    const names = Buckets?.map(({ Name }) => Name)
    expect(names).toContain('by-hand')
    expect(names).not.toContain('.sgwtmp')
  })

  test('pages and prefix', async () => {
    const first = await at.s3.send(new ListBucketsCommand({ Prefix: 'bkt', MaxBuckets: 1 }))
    expect([first.Buckets?.map(({ Name }) => Name), first.Prefix, first.ContinuationToken]).toEqual(
      [['bkt-one'], 'bkt', 'bkt-one'],
    )
    const second = await at.s3.send(
      new ListBucketsCommand({ Prefix: 'bkt', MaxBuckets: 1, ContinuationToken: 'bkt-one' }),
    )
    expect([second.Buckets?.map(({ Name }) => Name), second.ContinuationToken]).toEqual([
      ['bkt-two'],
      undefined,
    ])
  })

  test('max-buckets out of range; anonymous', async () => {
    for (const value of ['0', 'x', '10001']) {
      const { status, code, element } = await at.send('GET', `/?max-buckets=${value}`)
      expect([value, status, code, element('ArgumentName')]).toEqual([
        value,
        400,
        'InvalidArgument',
        'max-buckets',
      ])
    }
    const anonymous = await at.send('GET', '/', { sign: false })
    expect([anonymous.status, anonymous.code]).toEqual([403, 'AccessDenied'])
  })
})

/** Contract 2.1: "Bucket symlinks are always usable by name; `--bucketlinks` only controls their appearance in ListBuckets". */
describe('ListBuckets with --bucketlinks', () => {
  const linked = useGateway({ posixFlags: ['--bucketlinks'] })

  test('links to directories are buckets, of the time and the owner of what they lead to', async () => {
    const { dir } = linked.gateway
    const bucket = await linked.bucket()
    const outside = mkdtempSync(join(scratch(), 'vgw-outside-'))
    utimesSync(outside, 1_577_836_800, 1_577_836_800)
    writeFileSync(join(dir, 'file'), '')
    const links = {
      outlink: outside,
      inlink: bucket,
      dangling: 'nowhere',
      loop: 'loop',
      flink: 'file',
    }
    for (const [name, target] of Object.entries(links)) symlinkSync(target, join(dir, name))
    symlinkSync(bucket, join(dir, '.hidden'))
    for (let i = 0; i < 100; i++) symlinkSync(bucket, join(dir, `many-${i}`))
    const { Buckets = [] } = await linked.s3.send(new ListBucketsCommand({}))
    const names = Buckets.map(({ Name }) => Name ?? '').filter((name) => !name.startsWith('many-'))
    expect(names).toEqual([bucket, 'inlink', 'outlink'].toSorted())
    expect(Buckets.length).toBe(103)
    const { CreationDate } = Buckets.find(({ Name }) => Name === 'outlink') ?? {}
    expect(CreationDate?.toISOString()).toBe('2020-01-01T00:00:00.000Z')
    rmSync(outside, { recursive: true })
  })
})
