import { ownerGrant, parseAcl, renderAcl, type Grantee } from '../../auth/acl.ts'
import { AUTHENTICATE, onBucket, signedOnly } from '../access-rules.ts'
import {
  aclHeaders,
  cannedGrants,
  checkGrantees,
  malformedAcl,
  parseAclDocument,
  refuseBothKinds,
  type AclDocument,
  type AclHeaders,
} from '../acl-grants.ts'
import { S3Error } from '../errors.ts'
import { headers, label, lateDocument, operation } from '../operation.ts'

const DOCUMENTS = ['acl', 'ownership'] as const

export const PutBucketAcl = operation(
  {
    name: 'PutBucketAcl',
    http: { method: 'PUT', target: 'bucket', query: 'acl' },
    input: {
      bucket: label('bucket'),
      asked: headers(aclHeaders),
      document: lateDocument(
        'AccessControlPolicy',
        (root) => (root === undefined ? undefined : parseAclDocument(root)),
        { malformed: malformedAcl },
      ),
    },
  },
  {
    access: signedOnly(onBucket('s3:PutBucketAcl', 'WRITE_ACP'), AUTHENTICATE),
    async handle({ bucket, asked, document }, { backend, call, accounts, settings }) {
      const stored = await backend.getBucketSubresources(bucket, DOCUMENTS, call)
      if (!settings.aclsEnabled) throw aclsNotSupported('at the gateway level')
      if (asked.canned !== undefined) cannedGrants(asked.canned)
      if (stored.get('ownership')?.toString() === 'BucketOwnerEnforced') throw aclsNotSupported()
      const { owner } = parseAcl(stored.get('acl'), accounts.rootAccess)
      const grants = chooseGrants(asked, document(), owner)
      const named = grants.filter(({ type }) => type === 'CanonicalUser')
      await checkGrantees(named, accounts, call.span)
      const acl = renderAcl({ owner, grantees: [ownerGrant(owner), ...grants] })
      await backend.putBucketSubresource(bucket, 'acl', acl, call)
      return { status: 200 }
    },
  },
)

/** What is granted to others, asked for in one of three ways. */
function chooseGrants(
  asked: AclHeaders,
  document: AclDocument | undefined,
  owner: string,
): readonly Grantee[] {
  const { canned, grants } = asked
  const hasHeaders = canned !== undefined || grants.length > 0
  if (document !== undefined && hasHeaders) throw new S3Error('UnexpectedContent')
  refuseBothKinds(asked)
  if (canned !== undefined) return cannedGrants(canned)
  if (hasHeaders) return grants
  if (document === undefined) throw new S3Error('MissingSecurityHeader')
  if (document.owner !== owner) throw new S3Error('InvalidArgument', {}, { message: 'Invalid id' })
  return document.grants
}

function aclsNotSupported(where?: string): S3Error {
  const message = `Access control lists are disabled ${where ?? ''}`
  return new S3Error('AccessControlListNotSupported', {}, where === undefined ? {} : { message })
}
