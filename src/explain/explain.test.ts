import { describe, expect, test } from 'vitest'
import { explain } from './explain.ts'
import { phaseOf } from './phase-of.ts'
import type { ExplainedSpan } from './spans.ts'

type Attributes = ExplainedSpan['attributes']

/** A span as [name, begin in ms, end in ms, attributes, children]. */
type Drawn = readonly [string, number, number, Attributes?, (readonly Drawn[] | undefined)?]

function spansOf(root: Drawn): ExplainedSpan[] {
  const spans: ExplainedSpan[] = []
  const add = ([name, from, to, attributes = {}, children = []]: Drawn, parent: number): void => {
    const index = spans.length
    spans.push({
      name,
      phase: phaseOf(name),
      parent,
      startUs: from * 1e3,
      durationUs: (to - from) * 1e3,
      attributes,
    })
    for (const child of children) add(child, index)
  }
  add(root, -1)
  return spans
}

function phases(root: Drawn): Record<string, number> {
  return Object.fromEntries(explain(spansOf(root)).phases.map(({ phase, ms }) => [phase, ms]))
}

const MIB = 1024 ** 2

/** The example of the documentation: 5 MiB that a client sends at 12 MB/s. */
const SLOW_CLIENT: Drawn = [
  'S3.PutObject',
  0,
  412,
  { 's3.content_length': 5 * MIB, 'vgw.client_wait_ms': 371 },
  [
    ['Auth.V4Signature', 0.1, 0.3],
    [
      'Backend.PutObject',
      0.5,
      411,
      {},
      [
        ['Posix.IO.OpenTmpFile', 1, 1.1, { 'posix.queue_ms': 0.2 }],
        [
          'Posix.IO.WriteData',
          40,
          402,
          {
            'posix.queue_ms': 0.1,
            'posix.bytes_written': 5 * MIB,
            'posix.io_ms': 31,
            'posix.hash_ms': 0,
            'posix.later_queue_ms': 0,
            'posix.client_wait_ms': 331,
          },
        ],
        ['Posix.IO.Sync', 402.5, 410.5],
      ],
    ],
  ],
]

test('what else took much of the time is mentioned', () => {
  const { cause, verdict } = explain(
    spansOf(
      put(
        [
          ['Posix.IO.WaitLock', 5, 125, { 'posix.lock_holder': 'a'.repeat(32) }],
          ['Posix.IO.Sync', 125, 195],
        ],
        200,
      ),
    ),
  )
  expect(cause).toBe('lock')
  expect(verdict).toMatch(
    /^The request of trace a+ held the lock of this key\. Beside that: The disk took 70 ms for a sync/,
  )
})

describe('each moment belongs to one phase', () => {
  test('they add up to the whole', () => {
    const { phases } = explain(spansOf(SLOW_CLIENT))
    expect(phases.reduce((sum, { ms }) => sum + ms, 0)).toBeCloseTo(412, 6)
  })

  test('the body’s first bytes are waited for before there is anything to write', () => {
    expect(phases(SLOW_CLIENT)['client']).toBe(371)
    expect(phases(SLOW_CLIENT)['data']).toBeCloseTo(31, 6)
    expect(phases(SLOW_CLIENT)['sync']).toBeCloseTo(8, 6)
  })

  test('what is side by side counts once', () => {
    const sums = phases([
      'S3.ListObjectsV2',
      0,
      30,
      {},
      [
        [
          'Backend.ListObjects',
          0,
          30,
          {},
          [
            ['Posix.IO.StatBatch', 0, 20],
            ['Posix.IO.StatBatch', 1, 25],
          ],
        ],
      ],
    ])
    expect(sums).toEqual({ directory: 30 })
  })

  test('time in the queue stands before the first operation of a job', () => {
    const sums = phases([
      'S3.HeadObject',
      0,
      20,
      {},
      [
        [
          'Backend.HeadObject',
          0,
          20,
          {},
          [
            ['Posix.IO.OpenFile', 17, 18, { 'posix.queue_ms': 16 }],
            ['Posix.IO.ReadMetadata', 18, 19, { 'posix.queue_ms': 16 }],
          ],
        ],
      ],
    ])
    expect(sums).toEqual({ queue: 16, metadata: 2, other: 2 })
  })

  test('what a job does between two spans is a file operation', () => {
    const queued = { 'posix.queue_ms': 0.5 }
    const sums = phases([
      'S3.DeleteObject',
      0,
      20,
      {},
      [
        ['Posix.IO.OpenFile', 1, 2, queued],
        ['Posix.IO.RemoveFile', 10, 20, queued],
      ],
    ])
    expect(sums).toEqual({ queue: 0.5, metadata: 19, other: 0.5 })
  })

  test('system calls divide a transfer no further', () => {
    const calls: Drawn = ['Posix.Syscall.sendfile', 2, 490, { 'posix.bytes': 5 * MIB }]
    const sums = phases([
      'S3.GetObject',
      0,
      500,
      { 'vgw.client_wait_ms': 480 },
      [['Posix.IO.SendFile', 0, 500, { 'posix.client_wait_ms': 480, 'posix.io_ms': 20 }, [calls]]],
    ])
    expect(sums).toEqual({ client: 480, data: 20 })
  })

  test('a trace that stops at the backend still adds up', () => {
    expect(phases(['S3.GetObject', 0, 5, {}, [['Backend.GetObject', 1, 5]]])).toEqual({ other: 5 })
    expect(explain([]).phases).toEqual([])
  })
})

test('the sentence', () => {
  expect(explain(spansOf(SLOW_CLIENT)).sentence).toBe(
    '412 ms: 371 ms waiting for the client to send the body (13 MB/s), 31 ms writing 5 MiB to disk (161 MiB/s), 8 ms fsync, 2 ms everything else',
  )
})

const get = (ms: number, attributes: Attributes, sending: Attributes): Drawn => [
  'S3.GetObject',
  0,
  ms,
  attributes,
  [['Backend.GetObject', 1, ms, {}, [['Posix.IO.SendFile', 2, ms, sending]]]],
]

const put = (children: readonly Drawn[], to: number, attributes: Attributes = {}): Drawn => [
  'S3.PutObject',
  0,
  to,
  attributes,
  [['Backend.PutObject', 0, to, {}, children]],
]

const listing = (children: readonly Drawn[]): Drawn => [
  'S3.ListObjectsV2',
  0,
  children.at(-1)?.[2] ?? 0,
  {},
  children,
]

const head = (ms: number, attributes: Attributes): Drawn => [
  'S3.HeadObject',
  0,
  ms,
  {},
  [['Backend.HeadObject', 0, ms, {}, [['Posix.IO.OpenFile', 1, ms, attributes]]]],
]

describe('the cause', () => {
  test.each<[string, Drawn]>([
    ['slow-client', SLOW_CLIENT],
    [
      'slow-client',
      get(
        500,
        { 's3.content_length': 5 * MIB },
        { 'posix.client_wait_ms': 480, 'posix.io_ms': 10 },
      ),
    ],
    [
      'cold-cache',
      get(
        300,
        { 's3.content_length': 64 * MIB },
        { 'posix.io_ms': 290, 'posix.client_wait_ms': 0, 'posix.cached_percent': 0 },
      ),
    ],
    [
      'slow-disk',
      get(
        3000,
        { 's3.content_length': 6 * MIB },
        { 'posix.io_ms': 2990, 'posix.client_wait_ms': 0, 'posix.cached_percent': 1 },
      ),
    ],
    ['slow-sync', put([['Posix.IO.Sync', 5, 205]], 210)],
    ['full-pool', put([['Posix.IO.OpenFile', 190, 191, { 'posix.queue_ms': 189 }]], 200)],
    ['lock', put([['Posix.IO.WaitLock', 5, 195, { 'posix.lock_holder': 'a'.repeat(32) }]], 200)],
    ['lock', put([['Posix.IO.WaitLock', 5, 195, { 'posix.lock_wait_ms': 188 }]], 200)],
    [
      'hashing',
      put(
        [
          [
            'Posix.IO.WriteData',
            5,
            195,
            { 'posix.hash_ms': 150, 'posix.io_ms': 30, 'posix.later_queue_ms': 0 },
          ],
        ],
        200,
        { 's3.content_length': 64 * MIB },
      ),
    ],
    [
      'remote-iam',
      [
        'S3.GetObject',
        0,
        200,
        {},
        [
          [
            'Auth.V4Signature',
            0,
            190,
            {},
            [['IAM.GetUserAccount', 1, 189, { 'iam.backend': 'ldap', 'iam.cache_hit': false }]],
          ],
        ],
      ],
    ],
    [
      'large-directory',
      [
        'S3.ListObjectsV2',
        0,
        200,
        {},
        [
          [
            'Backend.ListObjects',
            0,
            200,
            {},
            [['Posix.IO.ListDir', 2, 150, { 'posix.entries': 200_000 }]],
          ],
        ],
      ],
    ],
    [
      'slow-disk',
      put(
        [
          ['Posix.IO.LinkFile', 5, 105],
          ['Posix.IO.Sync', 105, 205],
        ],
        210,
      ),
    ],
    ['slow-disk', listing([['Posix.IO.ListDir', 2, 199, { 'posix.entries': 12 }]])],
    ['slow-disk', listing([['Posix.IO.StatBatch', 2, 199, { 'posix.count': 20 }]])],
    ['slow-disk', listing([['Posix.IO.ListDir', 2, 199_000, { 'posix.entries': 20_000 }]])],
    ['cold-cache', head(60, { 'posix.disk_read_bytes': 12 * 1024 })],
    ['slow-disk', head(600, { 'posix.disk_read_bytes': 12 * 1024 })],
    [
      // Where other programs had the processors meanwhile, too.
      'cold-cache',
      get(
        200,
        { 's3.content_length': 32 * 1024, 'vgw.loop_starved_ms': 60 },
        { 'posix.io_ms': 146, 'posix.client_wait_ms': 0, 'posix.disk_read_bytes': 32 * 1024 },
      ),
    ],
    ['slow-disk', head(60, {})],
    ['fast', get(0.4, {}, {})],
    [
      'fast',
      get(
        23,
        { 's3.content_length': 64 * MIB },
        { 'posix.io_ms': 20, 'posix.cached_percent': 100 },
      ),
    ],
    ['fast', put([['Posix.IO.Sync', 1, 9]], 9.5)],
  ])('%s', (cause, drawn) => {
    expect(explain(spansOf(drawn)).cause).toBe(cause)
  })

  test.each<[string, Drawn]>([
    ['time that no span covers', put([], 500)],
    [
      'data that was in memory',
      get(
        500,
        { 's3.content_length': 800 * MIB },
        { 'posix.io_ms': 490, 'posix.cached_percent': 100 },
      ),
    ],
    [
      'data of which the kernel does not tell',
      get(500, { 's3.content_length': 80 * MIB }, { 'posix.io_ms': 490 }),
    ],
    [
      'an account that was in memory',
      ['S3.GetObject', 0, 200, {}, [['IAM.GetUserAccount', 1, 199, { 'iam.cache_hit': true }]]],
    ],
    ['a name that was looked up without a wait', head(120, { 'posix.awake_ms': 110 })],
    [
      'a wait for a thread while others were free',
      put(
        [['Posix.IO.OpenFile', 190, 191, { 'posix.queue_ms': 189, 'posix.pool_full': false }]],
        200,
      ),
    ],
    [
      'what was removed, which may have been large',
      ['S3.DeleteObject', 0, 250, {}, [['Posix.IO.RemoveFile', 1, 249]]],
    ],
    [
      'a lock that nobody held, where names are slow to open',
      put([['Posix.IO.WaitLock', 5, 13, { 'posix.queue_ms': 0.1 }]], 400),
    ],
    [
      'a file operation while the process had no processor',
      [
        'S3.HeadObject',
        0,
        200,
        { 'vgw.loop_lag_ms': 150, 'vgw.loop_starved_ms': 150 },
        [['Posix.IO.OpenFile', 10, 190]],
      ],
    ],
    [
      'a client, where the event loop was late',
      ['S3.PutObject', 0, 412, { ...SLOW_CLIENT[3], 'vgw.loop_lag_ms': 300 }, SLOW_CLIENT[4]],
    ],
    [
      'many causes',
      put(
        [
          ['Posix.IO.Sync', 0, 70],
          ['Posix.IO.WaitLock', 70, 140],
          ['Posix.IO.WriteData', 140, 200],
        ],
        210,
      ),
    ],
  ])('is not told of %s', (_, drawn) => {
    expect(explain(spansOf(drawn)).cause).toBe('unknown')
  })
})
