import { parseAcl, type Acl, type Grantee } from '../../auth/acl.ts'
import { element, escapeXml, wrap, xmlDocument } from '../../http/xml.ts'
import { onBucket } from '../access-rules.ts'
import { label, operation } from '../operation.ts'

export const GetBucketAcl = operation(
  {
    name: 'GetBucketAcl',
    http: { method: 'GET', target: 'bucket', query: 'acl' },
    input: { bucket: label('bucket') },
  },
  {
    access: onBucket('s3:GetBucketAcl', 'READ_ACP'),
    async handle({ bucket }, { backend, call, accounts }) {
      const stored = await backend.getBucketSubresource(bucket, 'acl', call)
      return { status: 200, body: renderAclDocument(parseAcl(stored, accounts.rootAccess)) }
    },
  },
)

function renderAclDocument({ owner, grantees }: Acl): string {
  const list = wrap('AccessControlList', grantees.map((grantee) => renderGrant(grantee)).join(''))
  return xmlDocument('AccessControlPolicy', wrap('Owner', element('ID', owner)) + list)
}

const XSI = 'http://www.w3.org/2001/XMLSchema-instance'

function renderGrant({ permission, access, type }: Grantee): string {
  const grantee = `<Grantee xmlns:xsi="${XSI}" xsi:type="${escapeXml(type)}">${element('ID', access)}</Grantee>`
  return wrap('Grant', grantee + element('Permission', permission))
}
