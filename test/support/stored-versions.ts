import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { useGateway, type Fixture } from './fixture.ts'
import { scratch } from './gateway.ts'
import { setAttribute } from './tree.ts'

/**
 * Versions put where contract 2.5 says they lie, without a single request: as VersityGW would have left them. The gateway keeps
 * its versions beside them.
 */
export interface StoredVersions extends Fixture {
  makeCurrent(bucket: string, key: string, made?: Made): void
  makeSuperseded(bucket: string, key: string, made: Made): void
  /** Where the superseded versions of a key lie. */
  versionsOf(bucket: string, key: string): string
}

export interface Made {
  readonly versionId?: string
  readonly isMarker?: boolean
}

export const ID_PREFIX = '01M7ZKNJ'
/** The `n`th id: ids sort by time as text. */
export const idOf = (n: number): string => ID_PREFIX + String(n).padStart(18, '0')

const MADE = new Date(Date.UTC(2026, 10, 21, 11, 21, 33))

export function useStoredVersions(): StoredVersions {
  let directory = ''
  beforeAll(() => {
    directory = mkdtempSync(join(scratch(), 'vgw-versions-'))
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  const fixture = useGateway(() => ({
    posixFlags: ['--versioning-dir', directory, '--durability', 'none'],
  }))

  const versionsOf = (bucket: string, key: string): string => {
    const hash = createHash('sha256').update(key).digest('hex')
    const levels = [hash.slice(0, 2), hash.slice(2, 4), hash.slice(4, 6), hash]
    const path = join(directory, bucket, ...levels)
    mkdirSync(path, { recursive: true })
    return path
  }
  const stored = {
    versionsOf,
    makeCurrent(bucket: string, key: string, made: Made = {}): void {
      mkdirSync(join(fixture.path(bucket, key), '..'), { recursive: true })
      makeFile(fixture.path(bucket, key), made)
    },
    makeSuperseded(bucket: string, key: string, made: Made): void {
      makeFile(join(versionsOf(bucket, key), made.versionId ?? 'null'), made)
    },
  }
  return Object.create(fixture, Object.getOwnPropertyDescriptors(stored)) as StoredVersions
}

function makeFile(path: string, { versionId, isMarker = false }: Made): void {
  writeFileSync(path, 'x')
  if (versionId !== undefined && versionId !== 'null') setAttribute(path, 'version-id', versionId)
  if (isMarker) setAttribute(path, 'delete-marker', '')
  utimesSync(path, MADE, MADE)
}
