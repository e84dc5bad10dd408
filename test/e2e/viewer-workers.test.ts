import { beforeAll, expect, test, vi } from 'vitest'
import { useGateway } from '../support/fixture.ts'
import { Program } from '../support/gateway.ts'

const TOKEN = '0123456789abcdef0123'
const at = useGateway({
  flags: ['--workers', '3', '--viewer', '127.0.0.1:0'],
  env: { VGW_VIEWER_TOKEN: TOKEN },
})

function viewer(): string {
  return /viewer {6}(http:\/\/127\.0\.0\.1:\d+)/.exec(at.gateway.stdout)?.[1] ?? ''
}

async function get(path: string): Promise<{ traces: { key: string }[]; workers: number }> {
  const answer = await fetch(viewer() + path, { headers: { Authorization: `Bearer ${TOKEN}` } })
  return (await answer.json()) as never
}

beforeAll(async () => {
  await at.gateway.waitFor(/viewer {6}/)
})

test('one viewer shows the traces of all workers', async () => {
  const bucket = await at.bucket()
  const following = new Program(['traces', '--follow', '--bucket', bucket], {
    env: { VGW_VIEWER_URL: viewer(), VGW_VIEWER_TOKEN: TOKEN },
  })
  // Each on a connection of its own, which goes to the next worker.
  const keys = Array.from({ length: 12 }, (_, i) => `k${i}`)
  for (const key of keys) await at.send('GET', `/${bucket}/${key}`)
  const { traces } = await get(`/api/traces?bucket=${bucket}`)
  // The newest first; neighbours may change places, for clocks of processes differ by fractions of a millisecond.
  const places = traces.map(({ key }) => keys.toReversed().indexOf(key))
  for (const [i, place] of places.entries()) expect(Math.abs(place - i)).toBeLessThanOrEqual(1)
  expect(places.toSorted((a, b) => a - b)).toEqual(keys.map((_, i) => i))
  expect((await get('/api/gateway')).workers).toBe(3)
  await vi.waitFor(
    async () => {
      await at.send('GET', `/${bucket}/later`)
      expect(following.stdout + following.stderr).toMatch(/(later[^]*){4}/)
    },
    { timeout: 60_000, interval: 100 },
  )
  following.kill('SIGTERM')
  await following.exit
})
