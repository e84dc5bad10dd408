import type { Owner } from '../../io/io.ts'
import { S3Error } from '../../s3/errors.ts'
import type { PosixIds } from '../backend.ts'

/** Which ids new files, directories and buckets take from the account that makes them. */
export interface OwnershipOptions {
  readonly chownUid: boolean
  readonly chownGid: boolean
}

/** Whose something new is to be; undefined where it is the process's anyway. */
export type OwnerOf = (account: PosixIds | undefined) => Owner | undefined

/** `-1` of fchown(2): this id stays as the file got it, which below a setgid directory is not the process's. */
const UNCHANGED = 0xffff_ffff

/** Undefined where nothing ever changes hands. */
export function createOwnership({ chownUid, chownGid }: OwnershipOptions): OwnerOf | undefined {
  if (!chownUid && !chownGid) return undefined
  const euid = process.geteuid?.()
  const egid = process.getegid?.()
  return (account) => {
    const uid = chownUid ? idOf(account?.userId, euid) : UNCHANGED
    const gid = chownGid ? idOf(account?.groupId, egid) : UNCHANGED
    return uid === UNCHANGED && gid === UNCHANGED ? undefined : { uid, gid }
  }
}

function idOf(id: number | undefined, own: number | undefined): number {
  if (id === undefined || id === own) return UNCHANGED
  if (Number.isInteger(id) && id >= 0 && id < UNCHANGED) return id
  throw new S3Error('InternalError', {}, { cause: new Error(`${id} is no id of POSIX`) })
}
