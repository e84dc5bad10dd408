import { describe, expect, test } from 'vitest'
import { bucketConfiguration } from './bucket-configuration.ts'

const wrap = (inner: string): string =>
  `<CreateBucketConfiguration>${inner}</CreateBucketConfiguration>`
const TAGS =
  '<Tags><Tag><Key>a</Key><Value>b</Value></Tag><Tag><Key>c</Key><Value>d e=&lt;f&gt;</Value></Tag></Tags>'

describe('--create-bucket-configuration (contract 1.4)', () => {
  test.each([
    ['nothing', '', undefined],
    [
      'a location',
      'LocationConstraint=eu-1',
      wrap('<LocationConstraint>eu-1</LocationConstraint>'),
    ],
    ['tags', 'Tags=[{Key=a,Value=b}, {Key=c,Value=d e=<f>}]', wrap(TAGS)],
    [
      'both',
      'LocationConstraint=eu-1,Tags=[{Key=a,Value=b},{Key=c,Value=d e=<f>}]',
      wrap(`<LocationConstraint>eu-1</LocationConstraint>${TAGS}`),
    ],
    ['no tags', 'Tags=[]', wrap('')],
    [
      'JSON',
      '{"LocationConstraint":"eu-1","Tags":[{"Key":"a","Value":"b"},{"Key":"c","Value":"d e=<f>"}]}',
      wrap(`<LocationConstraint>eu-1</LocationConstraint>${TAGS}`),
    ],
  ])('%s', (_, text, xml) => {
    expect(bucketConfiguration(text)).toBe(xml)
  })

  test.each([
    ['Foo=x', 'invalid component: Foo=x'],
    ['Tags=[{Key=a', 'invalid string format'],
    ['Tags=]', 'invalid string format'],
    ['Tags=[{Value=b}]', 'invalid tag: {Value=b}'],
    ['LocationConstraint=a,', 'invalid component: '],
    ['{"Foo":1}', 'invalid component: Foo'],
    ['{"Tags":1}', 'invalid JSON input'],
    ['{"Tags":[{"Key":1}]}', 'invalid JSON input'],
  ])('%s is refused', (text, reason) => {
    expect(() => bucketConfiguration(text)).toThrow(
      `invalid create bucket configuration: ${reason}`,
    )
  })

  test('JSON that is none', () => {
    expect(() => bucketConfiguration('{bad')).toThrow(
      /^invalid create bucket configuration: invalid JSON input: /,
    )
  })
})
