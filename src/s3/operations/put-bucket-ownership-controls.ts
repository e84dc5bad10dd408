import { childText, childrenOf, type XmlElement } from '../../http/xml-reader.ts'
import { onBucket, signedOnly } from '../access-rules.ts'
import { S3Error } from '../errors.ts'
import { isOwnership, type ObjectOwnership } from '../object-ownership.ts'
import { document, label, operation } from '../operation.ts'

const UNSIGNED = 's3:PutBucketOwnershipControls does not support Anonymous requests!'

export const PutBucketOwnershipControls = operation(
  {
    name: 'PutBucketOwnershipControls',
    http: { method: 'PUT', target: 'bucket', query: 'ownershipControls' },
    input: {
      bucket: label('bucket'),
      ownership: document('OwnershipControls', parseOwnershipControls, { required: true }),
    },
  },
  {
    access: signedOnly(onBucket('s3:PutBucketOwnershipControls', 'WRITE'), UNSIGNED),
    async handle({ bucket, ownership }, { backend, call }) {
      await backend.putBucketSubresource(bucket, 'ownership', ownership, call)
      return { status: 200 }
    },
  },
)

/** There is one rule, and one thing it can say. */
function parseOwnershipControls(root: XmlElement | undefined): ObjectOwnership {
  const [rule, ...others] = childrenOf(root, 'Rule')
  const ownership = childText(rule, 'ObjectOwnership')
  if (!isOwnership(ownership) || others.length > 0) throw new S3Error('MalformedXML')
  return ownership
}
