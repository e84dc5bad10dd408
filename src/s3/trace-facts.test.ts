import { expect, test } from 'vitest'
import type { Call } from '../backend/backend.ts'
import { Recorder } from '../trace/recorder.ts'
import { tell } from './trace-facts.ts'

function callOf(recorder: Recorder): Call {
  return { span: recorder.root.child('Backend.Test'), signal: new AbortController().signal }
}

test('trace contract 3.1, 3.3: a fact stands where the contract wants it', () => {
  const recorder = new Recorder(true, undefined)
  const call = callOf(recorder)
  tell(call, 's3.upload_id', 'u')
  tell(call, 's3.part_number', 3)
  tell(call, 's3.part_count', 9)
  tell(call, 's3.content_length', 14)
  tell(call, 's3.etag', '"e"')
  tell(call, 's3.copy_source', 'b/k')
  tell(call, 's3.version_id', undefined)
  const both = { 's3.upload_id': 'u', 's3.part_number': 3, 's3.content_length': 14 }
  expect(call.span.attributes).toEqual({ ...both, 's3.part_count': 9 })
  expect(recorder.root.attributes).toEqual({ ...both, 's3.etag': '"e"', 's3.copy_source': 'b/k' })
})

test('a trace that is not recorded is told nothing', () => {
  const recorder = new Recorder(false, undefined)
  tell(callOf(recorder), 's3.etag', '"e"')
  expect(recorder.root.attributes).toEqual({})
})
