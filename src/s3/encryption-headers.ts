import { createHash } from 'node:crypto'
import { S3Error } from './errors.ts'
import type { S3Request } from './request.ts'

const FAMILY = 'x-amz-server-side-encryption'
const METHOD = FAMILY
const KMS_KEY = `${FAMILY}-aws-kms-key-id`
const CUSTOMER = `${FAMILY}-customer-`
const METHODS = new Set(['AES256', 'aws:kms', 'aws:kms:dsse'])
const KEY_BYTES = 32

/**
 * Refuses headers about encryption that contradict themselves, as S3 does: whoever asks for encryption in a way that nobody
 * could follow shall not learn of it when he wants the object back. Nothing is encrypted here; what is asked for in a way
 * that could be followed is passed over, as in VersityGW.
 */
export function checkEncryptionHeaders({ method, headers }: S3Request): void {
  const asked = headers[METHOD]
  const kmsKey = headers[KMS_KEY]
  const algorithm = headers[`${CUSTOMER}algorithm`]
  const key = headers[`${CUSTOMER}key`]
  const md5 = headers[`${CUSTOMER}key-md5`]
  const isReading = method === 'GET' || method === 'HEAD'
  if (isReading && (asked !== undefined || kmsKey !== undefined))
    throw invalid(METHOD, asked, `${METHOD} header is not supported for this operation.`)
  if (asked !== undefined && !METHODS.has(String(asked)))
    throw invalid(METHOD, asked, 'The encryption method specified is not supported')
  if (kmsKey !== undefined && (asked === undefined || asked === 'AES256'))
    throw invalid(
      KMS_KEY,
      kmsKey,
      `Server Side Encryption with AWS KMS managed key requires HTTP header ${METHOD} : aws:kms`,
    )
  if (algorithm === undefined && key === undefined && md5 === undefined) return
  if (asked !== undefined)
    throw invalid(
      METHOD,
      asked,
      'Server Side Encryption with Customer provided key is incompatible with the encryption method specified',
    )
  checkCustomerKey(algorithm, key, md5)
}

type Value = string | string[] | undefined

/** The key itself is told to nobody, not even in an error. */
function checkCustomerKey(algorithm: Value, key: Value, md5: Value): void {
  const provide =
    'Requests specifying Server Side Encryption with Customer provided keys must provide'
  if (algorithm === undefined)
    throw invalid(`${CUSTOMER}algorithm`, undefined, `${provide} a valid encryption algorithm.`)
  if (algorithm !== 'AES256')
    throw invalid(`${CUSTOMER}algorithm`, algorithm, `${provide} a valid encryption algorithm.`)
  const bytes = Buffer.from(String(key ?? ''), 'base64')
  if (bytes.length !== KEY_BYTES)
    throw invalid(`${CUSTOMER}key`, undefined, `${provide} an appropriate secret key.`)
  if (md5 === undefined)
    throw invalid(
      `${CUSTOMER}key-MD5`,
      undefined,
      `${provide} the client calculated MD5 of the secret key.`,
    )
  if (createHash('md5').update(bytes).digest('base64') !== md5)
    throw invalid(
      `${CUSTOMER}key-MD5`,
      md5,
      'The calculated MD5 hash of the key did not match the hash that was provided.',
    )
}

function invalid(name: string, value: Value, message: string): S3Error {
  const details: Record<string, string> = { ArgumentName: name }
  if (value !== undefined) details['ArgumentValue'] = String(value)
  return new S3Error('InvalidArgument', details, { message })
}
