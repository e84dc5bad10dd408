import { escapeXml, xmlDocument } from '../../http/xml.ts'
import { onBucket } from '../access-rules.ts'
import { label, operation } from '../operation.ts'

export const GetBucketLocation = operation(
  {
    name: 'GetBucketLocation',
    http: { method: 'GET', target: 'bucket', query: 'location' },
    backendOperation: 'HeadBucket',
    input: { bucket: label('bucket') },
  },
  {
    access: onBucket('s3:GetBucketLocation', 'READ'),
    async handle({ bucket }, { backend, call, settings }) {
      await backend.headBucket(bucket, call)
      return { status: 200, body: renderLocation(settings.region) }
    },
  },
)

/** us-east-1 is what S3 calls no location. */
export function renderLocation(region: string): string {
  return xmlDocument('LocationConstraint', region === 'us-east-1' ? '' : escapeXml(region))
}
