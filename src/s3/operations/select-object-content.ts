import { crc32 } from 'node:zlib'
import { AUTHENTICATE, onObject, signedOnly } from '../access-rules.ts'
import { S3Error } from '../errors.ts'
import { label, operation } from '../operation.ts'

/**
 * SQL over an object is not there. Its clients read a stream of events after whatever status, so that this is where they are
 * told: 200, and one event which is the error.
 */
export const SelectObjectContent = operation(
  {
    name: 'SelectObjectContent',
    http: { method: 'POST', target: 'object', query: { select: '', 'select-type': '2' } },
    supported: false,
    input: { bucket: label('bucket') },
  },
  {
    access: signedOnly(onObject('s3:GetObject', 'READ'), AUTHENTICATE),
    async handle({ bucket }, { backend, call }) {
      await backend.headBucket(bucket, call)
      const { code, message } = new S3Error('NotImplemented')
      const event = eventMessage([
        [':error-code', code],
        [':error-message', message],
        [':message-type', 'error'],
      ])
      return {
        status: 200,
        headers: ['Content-Type', 'text/plain; charset=utf-8'],
        body: { kind: 'bytes', bytes: event },
      }
    },
  },
)

const STRING = 7
/** Two lengths and a CRC before the headers, a CRC behind. */
const PRELUDE = 12
const CRC = 4

/** A message without payload: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html */
export function eventMessage(headers: readonly (readonly [name: string, value: string])[]): Buffer {
  const fields = Buffer.concat(headers.map(([name, value]) => eventHeader(name, value)))
  const message = Buffer.alloc(PRELUDE + fields.length + CRC)
  message.writeUInt32BE(message.length, 0)
  message.writeUInt32BE(fields.length, 4)
  message.writeUInt32BE(crc32(message.subarray(0, 8)), 8)
  fields.copy(message, PRELUDE)
  message.writeUInt32BE(crc32(message.subarray(0, -CRC)), message.length - CRC)
  return message
}

function eventHeader(name: string, value: string): Buffer {
  const text = Buffer.from(value)
  const type = Buffer.from([STRING, text.length >> 8, text.length & 0xff])
  return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), type, text])
}
