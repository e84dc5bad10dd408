import { describe, expect, test } from 'vitest'
import { sidecarPlace } from './sidecar.ts'

const HASH = '68dbf73d03d3a5107edad3b05676eee240e68c280296e52b6986873c54cef3cb'
const ID = '1de12e76-0f02-4018-bf1c-7b9aa2f34fb2'
const UPLOADS = `bkt/.sgwtmp/multipart/${HASH}`

describe('where the attributes of a path are', () => {
  test.each([
    ['bkt', 'bkt'],
    ['bkt/a/b.txt', 'bkt/a/b.txt'],
    ['bkt/meta', 'bkt/meta'],
    ['bkt/meta/x', 'bkt/meta/x'],
    ['bkt/meta/etags', 'bkt/meta/etags'],
    ['bkt/meta/acl', 'bkt/meta/.sgwtmp/acl'],
    ['bkt/a/meta/etag', 'bkt/a/meta/.sgwtmp/etag'],
    ['bkt/a/meta/etag/b', 'bkt/a/meta/.sgwtmp/etag/b'],
    ['bkt/meta/etag/meta/acl', 'bkt/meta/.sgwtmp/etag/meta/.sgwtmp/acl'],
    ['bkt/a/meta/X-Amz-Meta.color', 'bkt/a/meta/.sgwtmp/X-Amz-Meta.color'],
    ['bkt/a/ameta/etag', 'bkt/a/ameta/etag'],
    ['meta/etag', 'meta/etag'],
    [`${UPLOADS}/${ID}`, `${UPLOADS}/${ID}`],
    [`${UPLOADS}/${ID}.abc-1.inprogress`, `${UPLOADS}/${ID}`],
    [`${UPLOADS}/${ID}.abc-1.inprogress/12`, `${UPLOADS}/${ID}/12`],
  ])('%s: %s', (path, place) => {
    expect(sidecarPlace(path)).toBe(place)
  })
})
