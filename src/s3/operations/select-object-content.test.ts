import { expect, test } from 'vitest'
import { S3Error } from '../errors.ts'
import { eventMessage } from './select-object-content.ts'

test('the event that VersityGW answers SelectObjectContent with, byte for byte', () => {
  const { code, message } = new S3Error('NotImplemented')
  const event = eventMessage([
    [':error-code', code],
    [':error-message', message],
    [':message-type', 'error'],
  ])
  const recorded =
    '\x00\x00\x00\x99\x00\x00\x00\x89-P\xa1\x8c\x0b:error-code\x07\x00\x0eNotImplemented\x0e:error-message\x07\x00DA header you provided implies functionality that is not implemented.\r:message-type\x07\x00\x05error\x10V\xe7P'
  expect(event.toString('latin1')).toBe(recorded)
})
