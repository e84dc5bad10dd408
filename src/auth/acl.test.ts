import { describe, expect, test } from 'vitest'
import { ALL_USERS, ownerGrant, parseAcl, renderAcl, type Acl } from './acl.ts'

const read = (text: string): Acl => parseAcl(Buffer.from(text), 'root')

describe('the ACL as stored (contract 2.2)', () => {
  test('an owner’s own grant and a public one, byte for byte', () => {
    const acl: Acl = {
      owner: 'o<w"ner',
      grantees: [ownerGrant('o<w"ner'), { permission: 'READ', access: ALL_USERS, type: 'Group' }],
    }
    const text =
      '{"Owner":"o\\u003cw\\"ner","Grantees":[{"Permission":"FULL_CONTROL","Access":"o\\u003cw\\"ner","Type":"CanonicalUser"},{"Permission":"READ","Access":"all-users","Type":"Group"}]}'
    expect(renderAcl(acl)).toBe(text)
    expect(read(text)).toEqual(acl)
  })

  test('"A directory without acl is a valid bucket: owner defaults to root, no grants."', () => {
    const roots = { owner: 'root', grantees: [] }
    expect(parseAcl(undefined, 'root')).toEqual(roots)
    for (const text of ['', 'junk', '[]', '{"Owner":""}', '{"Owner":7,"Grantees":null}'])
      expect(read(text)).toEqual(roots)
  })

  test('a grant that cannot be read grants nothing; the others stay', () => {
    const text =
      '{"Owner":"o","Grantees":[null,7,{"Permission":"ALL","Access":"a"},{"Permission":"READ"},{"Permission":"WRITE","Access":"b","Type":"Odd"}]}'
    const acl = {
      owner: 'o',
      grantees: [{ permission: 'WRITE', access: 'b', type: 'CanonicalUser' }],
    }
    expect(read(text)).toEqual(acl)
  })
})
