import { execFileSync } from 'node:child_process'
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { SECRET, useAttackedGateway } from '../support/attacked.ts'

/** Named after the list of attacks: A1 to A22. Every victim is looked at afterwards, on the disk. */
const { at, prepare, expectUnharmed } = useAttackedGateway()
let bucket = ''
let victim = ''
let outside = ''

beforeEach(async () => {
  ;({ bucket, victim, outside } = await prepare())
})

describe('A6: symbolic links in a bucket', () => {
  test('are never followed; a PUT replaces the link (contract 9.2, 12)', async () => {
    symlinkSync(outside, at.path(bucket, 'to-outside'))
    symlinkSync(`../${victim}`, at.path(bucket, 'to-victim'))
    symlinkSync('/etc', at.path(bucket, 'to-etc'))
    symlinkSync('k', at.path(bucket, 'to-own'))
    for (const key of [
      'to-outside',
      'to-victim/k',
      'to-etc/passwd',
      'to-own',
      'to-victim/',
      'to-etc/',
    ]) {
      const { status } = await at.send('GET', `/${bucket}/${key}`)
      expect([key, status]).toEqual([key, 404])
      const copy = await at.send('PUT', `/${bucket}/copied`, {
        headers: { 'x-amz-copy-source': `${bucket}/${key}` },
      })
      expect([key, copy.status]).toEqual([key, 404])
    }
    const below = await at.send('PUT', `/${bucket}/to-victim/planted`, { body: 'x' })
    expect([below.status, below.code]).toEqual([409, 'ObjectParentIsFile'])
    await at.send('DELETE', `/${bucket}/to-victim/k`)
    expect((await at.send('PUT', `/${bucket}/to-outside`, { body: 'mine' })).status).toBe(200)
    expect(lstatSync(at.path(bucket, 'to-outside')).isSymbolicLink()).toBe(false)
    expect((await at.send('GET', `/${bucket}/to-outside`)).text).toBe('mine')
    expectUnharmed()
  })

  test('also where .sgwtmp or an upload is one', async () => {
    const stage = await at.bucket()
    symlinkSync(`../${victim}`, at.path(stage, '.sgwtmp'))
    const put = await at.send('PUT', `/${stage}/k`, { body: 'x' })
    const create = await at.send('POST', `/${stage}/k?uploads`)
    expect([200, 409, 500, 403].includes(put.status)).toBe(true)
    expect(create.status).toBeGreaterThanOrEqual(400)
    expectUnharmed()
  })

  test('a directory swapped for a link while requests run', async () => {
    const [dir, real] = [at.path(bucket, 'dir'), at.path(bucket, 'real')]
    mkdirSync(dir)
    writeFileSync(join(dir, 'k'), 'mine')
    const progress = { done: false }
    const swap = (async () => {
      for (let i = 0; !progress.done; i++) {
        try {
          if (existsSync(real)) {
            rmSync(dir, { recursive: true, force: true })
            renameSync(real, dir)
          } else {
            renameSync(dir, real)
            symlinkSync(`../${victim}`, dir)
          }
        } catch {
          // A PUT has made the directory anew between the two names; the next round removes it.
        }
        if (i % 8 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    const work = Array.from({ length: 400 }, (_, i) => i)
    const seen = new Set<string>()
    const worker = async (): Promise<void> => {
      for (let i = work.pop(); i !== undefined; i = work.pop()) {
        seen.add((await at.send('GET', `/${bucket}/dir/k`)).text.slice(0, SECRET.length))
        await at.send('PUT', `/${bucket}/dir/planted`, { body: 'planted' })
      }
    }
    await Promise.all([worker(), worker(), worker(), worker()])
    progress.done = true
    await swap
    expect(seen).not.toContain(SECRET)
    expectUnharmed()
  })
})

describe('A7: what is no file', () => {
  test('pipes, sockets, devices: no hang, no object (contract 9.2, 18)', async () => {
    execFileSync('mkfifo', [at.path(bucket, 'fifo')])
    try {
      execFileSync('mknod', [at.path(bucket, 'device'), 'c', '1', '5'], { stdio: 'ignore' })
    } catch {
      // Only root can make devices; the pipe is test enough.
    }
    const gets = Array.from({ length: 40 }, (_, i) =>
      at.send('GET', `/${bucket}/${i % 2 === 0 ? 'fifo' : 'device'}`),
    )
    for (const { status } of await Promise.all(gets)) expect(status).toBe(404)
    expect(
      (
        await at.send('PUT', `/${bucket}/copied`, {
          headers: { 'x-amz-copy-source': `${bucket}/fifo` },
        })
      ).status,
    ).toBe(404)
    expect((await at.send('GET', `/${bucket}?list-type=2`)).elements('Key')).toEqual(['k'])
    expect((await at.send('PUT', `/${bucket}/fifo`, { body: 'now a file' })).status).toBe(200)
    expect((await at.send('GET', `/${bucket}/fifo`)).text).toBe('now a file')
    expectUnharmed()
  })

  test('a hard link to a file elsewhere: overwriting and deleting leave that file alone', async () => {
    linkSync(outside, at.path(bucket, 'linked'))
    expect((await at.send('PUT', `/${bucket}/linked`, { body: 'mine' })).status).toBe(200)
    linkSync(outside, at.path(bucket, 'linked2'))
    expect((await at.send('DELETE', `/${bucket}/linked2`)).status).toBe(204)
    expectUnharmed()
  })
})
