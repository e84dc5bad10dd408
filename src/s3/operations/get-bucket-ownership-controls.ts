import { XML_DECLARATION, element, wrap } from '../../http/xml.ts'
import { onBucket, signedOnly } from '../access-rules.ts'
import { S3Error } from '../errors.ts'
import { storedOwnership } from '../object-ownership.ts'
import { label, operation } from '../operation.ts'

const UNSIGNED = 's3:GetBucketOwnershipControls does not support Anonymous requests!'

export const GetBucketOwnershipControls = operation(
  {
    name: 'GetBucketOwnershipControls',
    http: { method: 'GET', target: 'bucket', query: 'ownershipControls' },
    input: { bucket: label('bucket') },
  },
  {
    access: signedOnly(onBucket('s3:GetBucketOwnershipControls', 'READ'), UNSIGNED),
    async handle({ bucket }, { backend, call }) {
      const ownership = await storedOwnership(bucket, backend, call)
      if (ownership === undefined)
        throw new S3Error('OwnershipControlsNotFoundError', { BucketName: bucket })
      return { status: 200, body: renderOwnership(ownership) }
    },
  },
)

function renderOwnership(ownership: string): string {
  const rule = wrap('Rule', element('ObjectOwnership', ownership))
  return XML_DECLARATION + wrap('OwnershipControls', rule)
}
