import { parseAcl } from '../../auth/acl.ts'
import { element, optional, wrap, xmlDocument } from '../../http/xml.ts'
import type { BucketSummary } from '../../backend/backend.ts'
import { OPEN, signedOnly } from '../access-rules.ts'
import { formatXmlDate } from '../http-date.ts'
import { parseMaxBuckets } from '../list-params.ts'
import { operation, query, type OperationContext } from '../operation.ts'

export const ListBuckets = operation(
  {
    name: 'ListBuckets',
    http: { method: 'GET', target: 'service' },
    input: {
      maxBuckets: query('max-buckets', parseMaxBuckets),
      prefix: query('prefix'),
      continuationToken: query('continuation-token'),
    },
  },
  {
    access: signedOnly(OPEN),
    async handle({ maxBuckets, prefix = '', continuationToken = '' }, context) {
      const remaining = (await ownBuckets(context)).filter(
        ({ name }) => name.startsWith(prefix) && isAfter(name, continuationToken),
      )
      const page = remaining.slice(0, maxBuckets)
      return {
        status: 200,
        body: renderBuckets({
          owner: context.caller.accessKey ?? '',
          region: context.settings.region,
          buckets: page,
          next: remaining.length > page.length ? page.at(-1)?.name : undefined,
          prefix,
        }),
      }
    },
  },
)

interface BucketsPage {
  readonly owner: string
  readonly region: string
  readonly buckets: readonly Pick<BucketSummary, 'name' | 'creationDate'>[]
  readonly next: string | undefined
  readonly prefix: string
}

export function renderBuckets({ owner, region, buckets, next, prefix }: BucketsPage): string {
  let list = ''
  for (const { creationDate, name } of buckets) {
    const created = element('CreationDate', formatXmlDate(creationDate.getTime()))
    list += wrap('Bucket', created + element('Name', name) + element('BucketRegion', region))
  }
  return xmlDocument(
    'ListAllMyBucketsResult',
    wrap('Owner', element('ID', owner) + element('DisplayName', '')) +
      wrap('Buckets', list) +
      optional('ContinuationToken', next) +
      optional('Prefix', prefix),
  )
}

/** A token is the last name given; bytes are what names are ordered by. */
function isAfter(name: string, token: string): boolean {
  return token === '' || Buffer.compare(Buffer.from(name), Buffer.from(token)) > 0
}

/** Root and admins see every bucket, the others their own: what is granted to them on another's is not listed. */
async function ownBuckets(context: OperationContext): Promise<readonly BucketSummary[]> {
  const { backend, call, caller, accounts } = context
  if (caller.isRoot || caller.role === 'admin') return backend.listBuckets(call)
  const buckets = await backend.listBuckets(call, ['acl'])
  return buckets.filter(
    ({ documents }) =>
      parseAcl(documents.get('acl'), accounts.rootAccess).owner === caller.accessKey,
  )
}
