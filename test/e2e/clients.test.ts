import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'
import { findPython, findTool, run, type RunResult } from '../support/tools.ts'
import { treeOf } from '../support/tree.ts'

const at = useGateway()
const scratch = mkdtempSync(join(tmpdir(), 'vgw-clients-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** Large enough for every client to send it in parts. */
const LARGE = 17 * 1024 * 1024 + 3
const large = randomBytes(LARGE)
/** Each client has its trouble with some of these. */
const KEYS: readonly string[] = [
  'plain.txt',
  'with space/and more.txt',
  'plus+sign',
  'percent%2Fencoded',
  'ünï/日本語-😀.txt',
  'quote\'s&"ampersand"',
  'a',
  'a-dir/b',
  `${'long/'.repeat(150)}${'n'.repeat(150)}`,
  'semi;colon=equals?question#hash',
  'tilde~(paren)!',
]

beforeAll(() => {
  for (const key of KEYS) {
    const path = join(scratch, 'in', key)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, `content of ${key}`)
  }
  writeFileSync(join(scratch, 'in', 'large.bin'), large)
})

function digest(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

/** The same files below both, byte for byte. */
function expectSame(left: string, right: string): void {
  const files = (dir: string): string[] =>
    treeOf(dir).filter((path) => !path.endsWith('/') && !path.startsWith('.sgwtmp/'))
  expect(files(right)).toEqual(files(left))
  for (const path of files(left))
    expect([path, digest(join(right, path))]).toEqual([path, digest(join(left, path))])
}

const aws = findTool('aws')
describe.skipIf(aws === undefined)('aws-cli', () => {
  const cli = (...args: string[]): Promise<RunResult> =>
    run(aws ?? '', ['--endpoint-url', at.gateway.endpoint, '--output', 'json', ...args], {
      env: environment(),
    })
  const environment = (): Record<string, string> => ({
    AWS_ACCESS_KEY_ID: at.credentials.access,
    AWS_SECRET_ACCESS_KEY: at.credentials.secret,
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_PAGER: '',
    AWS_CONFIG_FILE: join(scratch, 'aws-config'),
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  })
  // Version 1 of the program presigns with version 2 of the signature unless told not to.
  beforeAll(() =>
    writeFileSync(join(scratch, 'aws-config'), '[default]\ns3 =\n  signature_version = s3v4\n'),
  )
  const api = async (operation: string, ...args: string[]): Promise<Record<string, unknown>> => {
    const { stdout } = await cli('s3api', operation, ...args)
    return (stdout.trim() === '' ? {} : JSON.parse(stdout)) as Record<string, unknown>
  }

  test('s3 mb, sync both ways, ls, mv, rm, presign, rb', async () => {
    await cli('s3', 'mb', 's3://aws-bucket')
    await cli('s3', 'sync', '--no-progress', join(scratch, 'in'), 's3://aws-bucket/tree')
    expectSame(join(scratch, 'in'), at.path('aws-bucket', 'tree'))
    // Nothing has changed, so nothing is sent.
    const again = await cli(
      's3',
      'sync',
      '--no-progress',
      join(scratch, 'in'),
      's3://aws-bucket/tree',
    )
    expect(again.stdout.trim()).toBe('')
    await cli('s3', 'sync', '--no-progress', 's3://aws-bucket/tree', join(scratch, 'aws-out'))
    expectSame(join(scratch, 'in'), join(scratch, 'aws-out'))
    const { stdout } = await cli('s3', 'ls', '--recursive', 's3://aws-bucket/')
    for (const key of KEYS) expect(stdout).toContain(`tree/${key}`)
    await cli('s3', 'mv', 's3://aws-bucket/tree/plus+sign', 's3://aws-bucket/moved here/plus+sign')
    const presigned = await cli('s3', 'presign', 's3://aws-bucket/moved here/plus+sign')
    const answer = await fetch(presigned.stdout.trim())
    expect([answer.status, await answer.text()]).toEqual([200, 'content of plus+sign'])
    await cli('s3', 'rm', '--recursive', 's3://aws-bucket/')
    await cli('s3', 'rb', 's3://aws-bucket')
    expect((await at.send('HEAD', '/aws-bucket')).status).toBe(404)
  })

  test('s3 cp of a large file and from a pipe', async () => {
    const bucket = await at.bucket()
    await cli('s3', 'cp', '--no-progress', join(scratch, 'in/large.bin'), `s3://${bucket}/large`)
    await cli('s3', 'cp', '--no-progress', `s3://${bucket}/large`, `s3://${bucket}/copy`)
    await cli('s3', 'cp', '--no-progress', `s3://${bucket}/copy`, join(scratch, 'large-back'))
    expect(digest(join(scratch, 'large-back'))).toBe(digest(join(scratch, 'in/large.bin')))
    const { ETag } = await api('head-object', '--bucket', bucket, '--key', 'large')
    expect(ETag).toMatch(/-3"$/)
  })

  test('s3api: buckets and objects', async () => {
    await api('create-bucket', '--bucket', 'api-bucket')
    expect(await api('get-bucket-location', '--bucket', 'api-bucket')).toEqual({
      LocationConstraint: null,
    })
    await api('head-bucket', '--bucket', 'api-bucket')
    expect(JSON.stringify(await api('list-buckets'))).toContain('api-bucket')
    const on = ['--bucket', 'api-bucket', '--key']
    const put = await api(
      'put-object',
      ...on,
      'k',
      '--body',
      join(scratch, 'in/plain.txt'),
      '--metadata',
      'a=1',
      '--checksum-algorithm',
      'SHA256',
    )
    expect(put).toMatchObject({
      ChecksumSHA256: expect.any(String) as string,
      ETag: expect.any(String) as string,
    })
    const got = await api('get-object', ...on, 'k', '--range', 'bytes=0-6', join(scratch, 'got'))
    expect([got['ContentRange'], readFileSync(join(scratch, 'got'), 'utf8')]).toEqual([
      'bytes 0-6/20',
      'content',
    ])
    expect(await api('head-object', ...on, 'k', '--checksum-mode', 'ENABLED')).toMatchObject({
      Metadata: { a: '1' },
      ContentLength: 20,
    })
    const attributes = await api(
      'get-object-attributes',
      ...on,
      'k',
      '--object-attributes',
      'ETag',
      'ObjectSize',
      'Checksum',
    )
    expect(attributes).toMatchObject({ ObjectSize: 20 })
    await api('copy-object', ...on, 'k2', '--copy-source', 'api-bucket/k')
    for (const operation of ['list-objects', 'list-objects-v2']) {
      const listed = (await api(operation, '--bucket', 'api-bucket')) as {
        Contents: { Key: string }[]
      }
      expect(listed.Contents.map(({ Key }) => Key)).toEqual(['k', 'k2'])
    }
    await api('delete-object', ...on, 'k')
    await api('delete-objects', '--bucket', 'api-bucket', '--delete', 'Objects=[{Key=k2}]')
    await api('delete-bucket', '--bucket', 'api-bucket')
  })

  test('s3api: multipart uploads', async () => {
    const bucket = await at.bucket()
    const on = ['--bucket', bucket, '--key', 'mp']
    const created = await api('create-multipart-upload', ...on)
    const id = ['--upload-id', String(created['UploadId'])]
    const part = await api(
      'upload-part',
      ...on,
      ...id,
      '--part-number',
      '1',
      '--body',
      join(scratch, 'in/large.bin'),
    )
    await at.send('PUT', `/${bucket}/source`, { body: 'tail' })
    const copied = (await api(
      'upload-part-copy',
      ...on,
      ...id,
      '--part-number',
      '2',
      '--copy-source',
      `${bucket}/source`,
    )) as {
      CopyPartResult: { ETag: string }
    }
    expect(JSON.stringify(await api('list-multipart-uploads', '--bucket', bucket))).toContain(id[1])
    const { Parts } = (await api('list-parts', ...on, ...id)) as { Parts: unknown[] }
    expect(Parts).toHaveLength(2)
    const list = {
      Parts: [
        { PartNumber: 1, ETag: part['ETag'] },
        { PartNumber: 2, ETag: copied.CopyPartResult.ETag },
      ],
    }
    await api('complete-multipart-upload', ...on, ...id, '--multipart-upload', JSON.stringify(list))
    expect((await at.send('HEAD', `/${bucket}/mp`)).header('content-length')).toBe(
      String(LARGE + 4),
    )
    const other = await api('create-multipart-upload', ...on)
    await api('abort-multipart-upload', ...on, '--upload-id', String(other['UploadId']))
  })
})

const python = findPython('boto3')
describe.skipIf(python === undefined)('boto3', () => {
  test('odd keys, trailing slashes, a beside a/b, transfers, pages', async () => {
    const script = `
import importlib.util, boto3, io, json, os, sys
from botocore.exceptions import ClientError
s3 = boto3.client('s3', endpoint_url=sys.argv[1], region_name='us-east-1')
keys = json.loads(sys.argv[2])
b = 'boto-bucket'
s3.create_bucket(Bucket=b)
for k in keys:
    s3.put_object(Bucket=b, Key=k, Body=k.encode(), Metadata={'m': 'v'})
for k in keys:
    r = s3.get_object(Bucket=b, Key=k)
    assert r['Body'].read() == k.encode(), k
    assert r['Metadata'] == {'m': 'v'}
listed = [o['Key'] for page in s3.get_paginator('list_objects_v2').paginate(Bucket=b, PaginationConfig={'PageSize': 2}) for o in page.get('Contents', [])]
assert listed == sorted(keys, key=lambda k: k.encode()), listed
v1 = [o['Key'] for page in s3.get_paginator('list_objects').paginate(Bucket=b, PaginationConfig={'PageSize': 3}) for o in page.get('Contents', [])]
assert v1 == listed, v1
s3.put_object(Bucket=b, Key='dir/', Body=b'')
assert s3.head_object(Bucket=b, Key='dir/')['ContentLength'] == 0
try:
    s3.put_object(Bucket=b, Key='a/b', Body=b'x')
    raise SystemExit('a/b beside a')
except ClientError as e:
    assert e.response['Error']['Code'] == 'ObjectParentIsFile', e
data = os.urandom(20_000_000)
s3.upload_fileobj(io.BytesIO(data), b, 'transferred')
out = io.BytesIO()
s3.download_fileobj(b, 'transferred', out)
assert out.getvalue() == data
# botocore leaves the two younger CRCs to awscrt, an extra of its own.
younger = ('CRC32C', 'CRC64NVME') if importlib.util.find_spec('awscrt') else ()
for algorithm in ('CRC32', *younger, 'SHA1', 'SHA256'):
    s3.put_object(Bucket=b, Key='sum', Body=b'sum', ChecksumAlgorithm=algorithm)
    r = s3.get_object(Bucket=b, Key='sum', ChecksumMode='ENABLED')
    assert r['Checksum' + algorithm] and r['Body'].read() == b'sum'
try:
    s3.put_object(Bucket=b, Key='sum', Body=b'x', IfNoneMatch='*')
    raise SystemExit('If-None-Match did not hold')
except ClientError as e:
    assert e.response['ResponseMetadata']['HTTPStatusCode'] == 412, e
s3.delete_objects(Bucket=b, Delete={'Objects': [{'Key': k} for k in keys] + [{'Key': 'dir/'}, {'Key': 'transferred'}, {'Key': 'sum'}]})
s3.delete_bucket(Bucket=b)
print('done')
`
    const { stdout } = await run(
      python ?? '',
      ['-c', script, at.gateway.endpoint, JSON.stringify(KEYS.filter((key) => key !== 'a-dir/b'))],
      {
        env: {
          AWS_ACCESS_KEY_ID: at.credentials.access,
          AWS_SECRET_ACCESS_KEY: at.credentials.secret,
        },
      },
    )
    expect(stdout).toContain('done')
  })
})

const rclone = findTool('rclone')
describe.skipIf(rclone === undefined)('rclone', () => {
  test('copy there and back, check, moveto, purge', async () => {
    const env = {
      RCLONE_CONFIG: '/dev/null',
      RCLONE_CONFIG_V_TYPE: 's3',
      RCLONE_CONFIG_V_PROVIDER: 'Other',
      RCLONE_CONFIG_V_ACCESS_KEY_ID: at.credentials.access,
      RCLONE_CONFIG_V_SECRET_ACCESS_KEY: at.credentials.secret,
      RCLONE_CONFIG_V_ENDPOINT: at.gateway.endpoint,
      RCLONE_CONFIG_V_REGION: 'us-east-1',
    }
    const rc = (...args: string[]): Promise<RunResult> =>
      run(rclone ?? '', args, { env, timeoutMs: 100_000 })
    await rc('mkdir', 'v:rclone-bucket')
    await rc(
      'copy',
      '--s3-upload-cutoff',
      '5M',
      '--s3-chunk-size',
      '5M',
      join(scratch, 'in'),
      'v:rclone-bucket',
    )
    await rc('check', join(scratch, 'in'), 'v:rclone-bucket')
    await rc('copy', 'v:rclone-bucket', join(scratch, 'rclone-out'))
    expectSame(join(scratch, 'in'), join(scratch, 'rclone-out'))
    await rc('moveto', 'v:rclone-bucket/plain.txt', 'v:rclone-bucket/moved.txt')
    expect((await rc('cat', 'v:rclone-bucket/moved.txt')).stdout).toBe('content of plain.txt')
    // Modification times travel as metadata.
    const second = await rc(
      'sync',
      '-v',
      '--exclude',
      '/plain.txt',
      '--exclude',
      '/moved.txt',
      join(scratch, 'in'),
      'v:rclone-bucket',
    )
    expect(second.stderr).toMatch(/nothing to transfer/)
    await rc('purge', 'v:rclone-bucket')
    expect((await at.send('HEAD', '/rclone-bucket')).status).toBe(404)
  })
})

const s3cmd = findTool('s3cmd')
describe.skipIf(s3cmd === undefined)('s3cmd', () => {
  test('put, get, ls, info, cp, sync, del, rb', async () => {
    const host = new URL(at.gateway.endpoint).host
    const config = join(scratch, 's3cfg')
    writeFileSync(
      config,
      `[default]\naccess_key=${at.credentials.access}\nsecret_key=${at.credentials.secret}\nhost_base=${host}\nhost_bucket=${host}\nuse_https=False\nbucket_location=us-east-1\n`,
    )
    const s3 = (...args: string[]): Promise<RunResult> =>
      run(s3cmd ?? '', ['-c', config, '--no-progress', ...args], { timeoutMs: 100_000 })
    await s3('mb', 's3://s3cmd-bucket')
    await s3('sync', '--multipart-chunk-size-mb=5', `${join(scratch, 'in')}/`, 's3://s3cmd-bucket/')
    expectSame(join(scratch, 'in'), at.path('s3cmd-bucket'))
    await s3('sync', 's3://s3cmd-bucket/', `${join(scratch, 's3cmd-out')}/`)
    expectSame(join(scratch, 'in'), join(scratch, 's3cmd-out'))
    const { stdout } = await s3('ls', '--recursive', 's3://s3cmd-bucket')
    expect(stdout).toContain('ünï/日本語-😀.txt')
    await s3('cp', 's3://s3cmd-bucket/plain.txt', 's3://s3cmd-bucket/copied.txt')
    await s3('get', 's3://s3cmd-bucket/copied.txt', join(scratch, 's3cmd-copied'))
    expect(readFileSync(join(scratch, 's3cmd-copied'), 'utf8')).toBe('content of plain.txt')
    await s3('del', '--recursive', '--force', 's3://s3cmd-bucket')
    await s3('rb', 's3://s3cmd-bucket')
    expect((await at.send('HEAD', '/s3cmd-bucket')).status).toBe(404)
  })
})
