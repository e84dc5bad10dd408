import { S3Error } from '../../s3/errors.ts'
import type { AccountStore } from './account-store.ts'

/** No accounts beside root's: whoever wants to see or change one is told that there can be none. */
export function createSingleStore(): AccountStore {
  const refuse = (): Promise<never> => Promise.reject(new S3Error('XAdminMethodNotSupported'))
  return {
    type: 'single',
    get: () => Promise.resolve(undefined),
    create: refuse,
    update: refuse,
    delete: refuse,
    list: refuse,
    close: () => Promise.resolve(),
  }
}
