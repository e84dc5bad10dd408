import { readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'
import { useGateway, type Fixture } from './fixture.ts'
import { treeOf } from './tree.ts'

/** What the victims hold. */
export const SECRET = 'nobody may read this'

/** Of one attack: names of buckets, and the path of a file beside the directory that is served. */
export interface Scene {
  /** The attacker's, with an object `k`. */
  readonly bucket: string
  /** Somebody else's, with an object `k`. */
  readonly victim: string
  readonly outside: string
}

export interface Attacked {
  readonly at: Fixture
  readonly prepare: () => Promise<Scene>
  /** Looks at every victim of the scene prepared last, on the disk. */
  readonly expectUnharmed: () => void
}

/** A gateway under attack, which traces at full depth as it must under attack, too. */
export function useAttackedGateway(): Attacked {
  const at = useGateway({
    flags: ['--otel-enabled', '--otel-depth', 'syscall', '--otel-exporter', 'none'],
  })
  let scene: Scene = { bucket: '', victim: '', outside: '' }
  return {
    at,
    async prepare() {
      const bucket = await at.bucket()
      const victim = await at.bucket()
      const outside = join(dirname(at.gateway.dir), `outside-${bucket}`)
      writeFileSync(outside, SECRET)
      await at.send('PUT', `/${victim}/k`, { body: SECRET })
      await at.send('PUT', `/${bucket}/k`, { body: 'mine' })
      scene = { bucket, victim, outside }
      return scene
    },
    expectUnharmed() {
      const { victim, outside } = scene
      expect(readFileSync(outside, 'utf8')).toBe(SECRET)
      expect(treeOf(at.path(victim)).filter((path) => !path.startsWith('.sgwtmp'))).toEqual(['k'])
      expect(readFileSync(at.path(victim, 'k'), 'utf8')).toBe(SECRET)
      unlinkSync(outside)
    },
  }
}
