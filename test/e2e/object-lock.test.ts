import {
  CopyObjectCommand,
  CreateBucketCommand,
  GetObjectLegalHoldCommand,
  GetObjectLockConfigurationCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectLockConfigurationCommand,
  PutObjectRetentionCommand,
  type ObjectLockRetentionMode,
} from '@aws-sdk/client-s3'
import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { failure, useGateway } from '../support/fixture.ts'
import { attributesOf } from '../support/tree.ts'

const at = useGateway({ posixFlags: ['--durability', 'none'] })
const inYears = (years: number): Date => new Date(Date.UTC(new Date().getUTCFullYear() + years))

async function lockedBucket(): Promise<string> {
  const Bucket = `locked-${randomBytes(6).toString('hex')}`
  await at.s3.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }))
  return Bucket
}

describe('Object lock', () => {
  test('of a bucket: made with it, default retention set and told (contract 2.2)', async () => {
    const Bucket = await lockedBucket()
    expect(attributesOf(at.path(Bucket))['bucket-lock']).toMatch(
      /^\{"Enabled":true,"DefaultRetention":null,"CreatedAt":"\d{4}-\d\d-\d\dT[\d:.]+Z"\}$/,
    )
    const Rule = { DefaultRetention: { Mode: 'COMPLIANCE', Years: 2 } } as const
    await at.s3.send(
      new PutObjectLockConfigurationCommand({
        Bucket,
        ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule },
      }),
    )
    const got = await at.s3.send(new GetObjectLockConfigurationCommand({ Bucket }))
    expect(got.ObjectLockConfiguration).toEqual({ ObjectLockEnabled: 'Enabled', Rule })
    const none = await failure(
      at.s3.send(new GetObjectLockConfigurationCommand({ Bucket: await at.bucket() })),
    )
    expect(none.name).toBe('ObjectLockConfigurationNotFoundError')
  })

  test('retention and legal hold: by headers, by calls, told by HEAD', async () => {
    const Bucket = await lockedBucket()
    const until = inYears(3)
    const lock = {
      ObjectLockMode: 'GOVERNANCE',
      ObjectLockRetainUntilDate: until,
      ObjectLockLegalHoldStatus: 'ON',
    } as const
    await at.s3.send(new PutObjectCommand({ Bucket, Key: 'put', Body: 'x', ...lock }))
    await at.s3.send(new PutObjectCommand({ Bucket, Key: 'plain', Body: 'x' }))
    const CopySource = `${Bucket}/plain`
    await at.s3.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource, ...lock }))
    const called = { Bucket, Key: 'plain' }
    const Retention = { Mode: 'GOVERNANCE', RetainUntilDate: until } as const
    await at.s3.send(new PutObjectRetentionCommand({ ...called, Retention }))
    await at.s3.send(new PutObjectLegalHoldCommand({ ...called, LegalHold: { Status: 'ON' } }))
    for (const Key of ['put', 'copy', 'plain']) {
      expect(await at.s3.send(new HeadObjectCommand({ Bucket, Key }))).toMatchObject(lock)
      const retention = await at.send('GET', `/${Bucket}/${Key}?retention`)
      expect(retention.element('Mode')).toBe('GOVERNANCE')
      const hold = await at.s3.send(new GetObjectLegalHoldCommand({ Bucket, Key }))
      expect(hold.LegalHold).toEqual({ Status: 'ON' })
    }
    await at.s3.send(new PutObjectLegalHoldCommand({ ...called, LegalHold: { Status: 'OFF' } }))
    const off = await at.s3.send(new GetObjectLegalHoldCommand(called))
    expect(off.LegalHold).toEqual({ Status: 'OFF' })
  })

  test('a copy does not take over the lock of its source (contract 3.5)', async () => {
    const Bucket = await lockedBucket()
    const lock = { ObjectLockLegalHoldStatus: 'ON' } as const
    await at.s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x', ...lock }))
    await at.s3.send(new CopyObjectCommand({ Bucket, Key: 'c', CopySource: `${Bucket}/k` }))
    const head = await at.s3.send(new HeadObjectCommand({ Bucket, Key: 'c' }))
    expect(head.ObjectLockLegalHoldStatus).toBeUndefined()
  })

  test('without a lock configuration there are no locks', async () => {
    const Bucket = await at.bucket()
    const ref = { Bucket, Key: 'k' }
    const lock = { ObjectLockLegalHoldStatus: 'ON' } as const
    const put = await failure(at.s3.send(new PutObjectCommand({ ...ref, Body: 'x', ...lock })))
    expect([put.name, put.message]).toEqual([
      'InvalidRequest',
      'Bucket is missing ObjectLockConfiguration',
    ])
    await at.s3.send(new PutObjectCommand({ ...ref, Body: 'x' }))
    const got = await failure(at.s3.send(new GetObjectRetentionCommand(ref)))
    expect([got.name, got.message]).toEqual([
      'InvalidRequest',
      'Bucket is missing Object Lock Configuration',
    ])
  })

  describe('contract 9.2, 23: which retention may follow which', () => {
    const CASES: readonly (readonly [
      stored: readonly [ObjectLockRetentionMode, number],
      wanted: readonly [ObjectLockRetentionMode, number],
      bypass: boolean,
      isAllowed: boolean,
    ])[] = [
      [['COMPLIANCE', 3], ['COMPLIANCE', 4], false, true],
      [['COMPLIANCE', 3], ['COMPLIANCE', 3], false, true],
      [['COMPLIANCE', 3], ['COMPLIANCE', 2], false, false],
      [['COMPLIANCE', 3], ['COMPLIANCE', 2], true, false],
      [['COMPLIANCE', 3], ['GOVERNANCE', 4], false, false],
      [['COMPLIANCE', 3], ['GOVERNANCE', 4], true, false],
      [['GOVERNANCE', 3], ['GOVERNANCE', 4], false, true],
      [['GOVERNANCE', 3], ['GOVERNANCE', 2], false, false],
      [['GOVERNANCE', 3], ['GOVERNANCE', 2], true, true],
      [['GOVERNANCE', 3], ['COMPLIANCE', 4], false, false],
      [['GOVERNANCE', 3], ['COMPLIANCE', 4], true, false],
    ]

    // One for all of them: of each new one it is waited until everybody knows that it can lock.
    let Bucket = ''
    beforeAll(async () => {
      Bucket = await lockedBucket()
    })

    test.each(CASES)('%j → %j, bypass %j: %j', async (stored, wanted, bypass, isAllowed) => {
      const ref = { Bucket, Key: randomBytes(6).toString('hex') }
      const put = (
        [Mode, years]: readonly [ObjectLockRetentionMode, number],
        BypassGovernanceRetention: boolean,
      ) =>
        at.s3.send(
          new PutObjectRetentionCommand({
            ...ref,
            BypassGovernanceRetention,
            Retention: { Mode, RetainUntilDate: inYears(years) },
          }),
        )
      await at.s3.send(new PutObjectCommand({ ...ref, Body: 'x' }))
      await put(stored, false)
      if (isAllowed) await put(wanted, bypass)
      else {
        const { name, message, status } = await failure(put(wanted, bypass))
        expect([name, message, status]).toEqual([
          'AccessDenied',
          'Access Denied because object protected by object lock.',
          403,
        ])
      }
      const head = await at.s3.send(new HeadObjectCommand(ref))
      const [mode, years] = isAllowed ? wanted : stored
      expect([head.ObjectLockMode, head.ObjectLockRetainUntilDate]).toEqual([mode, inYears(years)])
    })

    test('the bucket’s policy lets who may bypass change GOVERNANCE to COMPLIANCE (4.7)', async () => {
      const Bucket = await lockedBucket()
      const ref = { Bucket, Key: 'k' }
      const policy = {
        Statement: [
          {
            Effect: 'Allow',
            Principal: '*',
            Action: 's3:BypassGovernanceRetention',
            Resource: `arn:aws:s3:::${Bucket}/*`,
          },
        ],
      }
      await at.send('PUT', `/${Bucket}?policy`, { body: JSON.stringify(policy) })
      await at.s3.send(new PutObjectCommand({ ...ref, Body: 'x' }))
      for (const Mode of ['GOVERNANCE', 'COMPLIANCE'] as const) {
        await at.s3.send(
          new PutObjectRetentionCommand({
            ...ref,
            BypassGovernanceRetention: true,
            Retention: { Mode, RetainUntilDate: inYears(3) },
          }),
        )
      }
      const head = await at.s3.send(new HeadObjectCommand(ref))
      expect(head.ObjectLockMode).toBe('COMPLIANCE')
    })

    test('of many at once none shortens what another has set', async () => {
      const Bucket = await lockedBucket()
      const ref = { Bucket, Key: 'k' }
      await at.s3.send(new PutObjectCommand({ ...ref, Body: 'x' }))
      const years = [3, 9, 5, 7, 2, 8, 4, 6]
      await Promise.allSettled(
        years.map((count) =>
          at.s3.send(
            new PutObjectRetentionCommand({
              ...ref,
              Retention: { Mode: 'COMPLIANCE', RetainUntilDate: inYears(count) },
            }),
          ),
        ),
      )
      const head = await at.s3.send(new HeadObjectCommand(ref))
      expect(head.ObjectLockRetainUntilDate).toEqual(inYears(9))
    })
  })
})
