import { describe, expect, test } from 'vitest'
import { parseEndpoint } from './endpoint.ts'

describe('--otel-endpoint (trace contract, section 1)', () => {
  const cases: [text: string, protocol: 'grpc' | 'http', insecure: boolean, url: string][] = [
    ['localhost:4317', 'grpc', false, 'https://localhost:4317'],
    ['localhost:4317', 'grpc', true, 'http://localhost:4317'],
    ['localhost', 'grpc', true, 'http://localhost:4317'],
    ['http://collector', 'grpc', false, 'http://collector:4317'],
    ['http://collector:80', 'grpc', false, 'http://collector:80'],
    ['https://collector:443', 'grpc', true, 'https://collector:443'],
    ['https://collector:4317/', 'grpc', false, 'https://collector:4317'],
    ['https://collector:4317/ignored', 'grpc', false, 'https://collector:4317'],
    ['HTTP://Collector:4317', 'grpc', false, 'http://collector:4317'],
    ['[::1]:4317', 'grpc', true, 'http://[::1]:4317'],
    ['[::1]', 'http', true, 'http://[::1]:4318/v1/traces'],
    ['127.0.0.1:4318', 'http', true, 'http://127.0.0.1:4318/v1/traces'],
    ['localhost', 'http', true, 'http://localhost:4318/v1/traces'],
    ['localhost', 'http', false, 'https://localhost:4318/v1/traces'],
    ['https://collector', 'http', true, 'https://collector:4318/v1/traces'],
    ['https://collector:443', 'http', false, 'https://collector:443/v1/traces'],
    ['http://collector:4318/', 'http', false, 'http://collector:4318/v1/traces'],
    ['http://collector:4318/v1/traces', 'http', false, 'http://collector:4318/v1/traces'],
    ['http://collector:4318/custom?x=1', 'http', false, 'http://collector:4318/custom?x=1'],
    ['collector:4318/otlp', 'http', true, 'http://collector:4318/otlp'],
    ['  http://collector:4317  ', 'grpc', false, 'http://collector:4317'],
  ]
  test.each(cases)('%s over %s, insecure %s', (text, protocol, insecure, url) => {
    expect(parseEndpoint(text, { protocol, insecure })).toEqual({
      url,
      tls: url.startsWith('https:'),
    })
  })

  test.each([
    '',
    'http://',
    'ftp://host:1',
    'unix:///run/x',
    'host:port',
    'http://host:99999',
    'http://me:secret@host',
  ])('refuses %j', (text) => {
    expect(() => parseEndpoint(text, { protocol: 'grpc', insecure: false })).toThrow(
      /OTLP endpoint/,
    )
  })

  test('never repeats a password', () => {
    expect(() =>
      parseEndpoint('http://me:secret@host', { protocol: 'http', insecure: false }),
    ).not.toThrow(/secret/)
  })
})
