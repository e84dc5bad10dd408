import { parseAcl } from '../auth/acl.ts'
import type { Backend, Call } from '../backend/backend.ts'
import { XML_DECLARATION, element, wrap } from '../http/xml.ts'
import { S3Error } from '../s3/errors.ts'
import { adminOperation } from './operation.ts'

/** Buckets whose ACLs are read side by side. */
const AT_ONCE = 32

export const listBuckets = adminOperation(
  { name: 'ListBuckets', word: 'list-buckets', input: {}, backendOperation: 'ListBuckets' },
  async (_, { backend, call }) => {
    const buckets = await backend.listBuckets(call)
    let list = ''
    for (let i = 0; i < buckets.length; i += AT_ONCE) {
      const some = buckets.slice(i, i + AT_ONCE)
      const rendered = await Promise.all(some.map(({ name }) => renderBucket(name, backend, call)))
      list += rendered.join('')
    }
    return { status: 200, body: XML_DECLARATION + wrap('ListBucketsResult', list) }
  },
)

/** Nothing where the bucket has gone since it was listed; no owner where it was made without S3. */
async function renderBucket(name: string, backend: Backend, call: Call): Promise<string> {
  try {
    const { owner } = parseAcl(await backend.getBucketSubresource(name, 'acl', call), '')
    return wrap('Buckets', element('Name', name) + element('Owner', owner))
  } catch (error) {
    if (error instanceof S3Error && error.code === 'NoSuchBucket') return ''
    throw error
  }
}
