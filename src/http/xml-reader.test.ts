import { describe, expect, test } from 'vitest'
import { leastCpuMs } from '../../test/support/cpu-cost.ts'
import { errorOf } from '../../test/support/s3-errors.ts'
import { child, childText, childrenOf, parseXml } from './xml-reader.ts'

const parse = (text: string | Buffer, root = 'Delete') =>
  parseXml(Buffer.from(text as string), root)

describe('reading', () => {
  test('a tree', () => {
    const tree = parse(
      '<?xml version="1.0" encoding="UTF-8"?>\n<Delete xmlns="x"><Object><Key>a</Key></Object><Object><Key>b</Key></Object><Quiet>true</Quiet></Delete>\n',
    )
    expect(childrenOf(tree, 'Object').map((object) => childText(object, 'Key'))).toEqual(['a', 'b'])
    expect(childText(tree, 'Quiet')).toBe('true')
    expect(child(tree, 'Nothing')).toBeUndefined()
  })

  test.each([
    ['<Key> a  b </Key>', ' a  b '],
    ['<Key/>', ''],
    ['<Key></Key>', ''],
    ['<Key>&lt;&gt;&amp;&quot;&apos;</Key>', '<>&"\''],
    ['<Key>&#65;&#x42;&#x1F600;&#10;</Key>', 'AB😀\n'],
    ['<Key>&amp;lt;</Key>', '&lt;'],
    ['<Key>a<![CDATA[<&amp;>]]>b</Key>', 'a<&amp;>b'],
    ['<Key>a<!-- & < x -->b</Key>', 'ab'],
    ['<Key>0012</Key>', '0012'],
    ['<Key>true</Key>', 'true'],
    ['<Key>1e5</Key>', '1e5'],
    ['<Key>日本</Key>', '日本'],
    ['<s3:Key xmlns:s3="x">p</s3:Key>', 'p'],
    ['<Key a="b" c=\'d\'>x</Key>', 'x'],
    ['<Key\n>x</Key >', 'x'],
  ])('%s', (xml, text) => {
    expect(childText(parse(`<Delete>${xml}</Delete>`), 'Key')).toBe(text)
  })

  test('names that mean something to JavaScript are names, or refused', () => {
    const tree = parse('<Delete toString="z"><hasOwnProperty>a</hasOwnProperty></Delete>')
    expect([childText(tree, 'hasOwnProperty'), tree.attributes['toString']]).toEqual(['a', 'z'])
    for (const name of ['__proto__', 'constructor', 'prototype', 'x:__proto__']) {
      expect(errorOf(() => parse(`<Delete><${name}>a</${name}></Delete>`)).code).toBe(
        'MalformedXML',
      )
      expect(errorOf(() => parse(`<Delete ${name}="a"/>`)).code).toBe('MalformedXML')
    }
  })

  test('line ends are line feeds, unless they are references', () => {
    expect(childText(parse('<Delete>\r\n<Key>a\r\nb\rc&#13;d</Key></Delete>'), 'Key')).toBe(
      'a\nb\nc\rd',
    )
  })

  test('attributes, but for name spaces', () => {
    const tree = parse('<Delete xmlns="u" xmlns:xsi="v" a = "1&lt;" b=\'"\'\n xsi:type="t"/>')
    expect({ ...tree.attributes }).toEqual({ a: '1<', b: '"', type: 't' })
  })

  test('a byte order mark of UTF-8', () => {
    expect(parse('\ufeff<Delete/>').name).toBe('Delete')
  })

  test.each<[string, string | Buffer]>([
    ['nothing', ''],
    ['blank', '  \n'],
    ['no XML', 'hello'],
    ['JSON', '{"a":1}'],
    ['another root', '<Remove/>'],
    ['two roots', '<Delete/><Delete/>'],
    ['text behind the root', '<Delete/>x'],
    ['text before the root', 'x<Delete/>'],
    ['no end', '<Delete><Object>'],
    ['text behind a root without content', '<Delete/>&x;'],
    ['text between a root without content and a comment', '<Delete/>x<!-- -->'],
    ['an end beyond the root', '<Delete/></document><Delete/><document>'],
    ['a section behind the root', '<Delete/><![CDATA[x]]>'],
    ['a comment without end', '<Delete/><!-- '],
    ['an instruction without end', '<Delete/><?x'],
    ['a section without end', '<Delete><![CDATA[x</Delete>'],
    ['a section before the root', '<![CDATA[x]]><Delete/>'],
    ['an attribute twice', '<Delete a="1" a="2"/>'],
    ['an attribute without quotes', '<Delete a=1/>'],
    ['an attribute without value', '<Delete a/>'],
    ['attributes without a space', '<Delete a="1"b="2"/>'],
    ['a start tag in an attribute', '<Delete a="<"/>'],
    ['a name that begins with a digit', '<Delete><1/></Delete>'],
    ['a space before the name', '< Delete/>'],
    ['a name with another end', '<Delete></delete>'],
    ['an end with attributes', '<Delete></Delete a="b">'],
    ['crossed', '<Delete><a><b></a></b></Delete>'],
    ['an end without start', '<Delete></a></Delete>'],
    ['A21: a document type', '<!DOCTYPE Delete><Delete/>'],
    [
      'A21: an external entity',
      '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Key>&x;</Key></Delete>',
    ],
    [
      'A21: an entity bomb',
      `<!DOCTYPE d [<!ENTITY a "${'x'.repeat(1000)}"><!ENTITY b "&a;&a;&a;">]><Delete>&b;</Delete>`,
    ],
    ['an entity nobody defined', '<Delete><Key>&nbsp;</Key></Delete>'],
    ['an entity without end', '<Delete><Key>a & b</Key></Delete>'],
    ['a reference to NUL', '<Delete><Key>&#0;</Key></Delete>'],
    ['a reference to a surrogate', '<Delete><Key>&#xD800;</Key></Delete>'],
    ['a reference beyond Unicode', '<Delete><Key>&#x110000;</Key></Delete>'],
    ['A21: UTF-16', Buffer.from('\ufeff<Delete/>', 'utf16le')],
    ['another encoding', '<?xml version="1.0" encoding="ISO-8859-1"?><Delete/>'],
    ['bytes that are no UTF-8', Buffer.from([0x3c, 0x44, 0xff, 0x3e])],
    ['A21: nested 100 000 deep', `${'<a>'.repeat(100_000)}${'</a>'.repeat(100_000)}`],
    [
      'A21: nested deep inside the root',
      `<Delete>${'<a>'.repeat(100)}${'</a>'.repeat(100)}</Delete>`,
    ],
  ])('%s is MalformedXML', (_, xml) => {
    expect(errorOf(() => parse(xml))).toMatchObject({ code: 'MalformedXML', status: 400 })
  })

  const repeated = (piece: string) => (bytes: number) =>
    piece.repeat(Math.floor(bytes / piece.length))

  test.each<[string, (bytes: number) => string]>([
    ['starts', repeated('<a')],
    ['tags', repeated('<a>')],
    ['empty elements', (bytes) => `${repeated('<a/>')(bytes)}</a>`],
    ['comments', repeated('<!--')],
    ['instructions', repeated('<?x ')],
    ['attributes', repeated('<a b="')],
    ['equal attributes of one element', (bytes) => `<a${repeated(' c="d"')(bytes)}>`],
    [
      'attributes of one element',
      (bytes) => `<a ${Array.from({ length: bytes / 10 }, (_, i) => `a${i}=""`).join(' ')}/>`,
    ],
    ['sections', repeated('<![CDATA[')],
    ['references', repeated('&')],
    ['references to nothing', (bytes) => `${repeated('&lt;')(bytes)}&x;`],
    ['ends', repeated('</Delete')],
    ['spaces in tags', repeated(`<a${' '.repeat(1000)}b`)],
    ['spaces in a tag', (bytes) => `<a${' '.repeat(bytes)}b`],
    ['a name', (bytes) => `<${'a'.repeat(bytes)}`],
  ])('A21: a megabyte of %s is refused in linear time', (_, content) => {
    const [small, large] = [125_000, 1_000_000].map((bytes) =>
      Buffer.from(`<Delete>${content(bytes)}</Delete>`),
    ) as [Buffer, Buffer]
    const refuse = (xml: Buffer) => () =>
      expect(errorOf(() => parse(xml)).code).toBe('MalformedXML')
    // Eight times as long takes eight times as much, not sixty-four; half a second is for the garbage collector.
    const limit = 24 * leastCpuMs(refuse(small), Number.POSITIVE_INFINITY) + 500
    expect(leastCpuMs(refuse(large), limit)).toBeLessThanOrEqual(limit)
  })
})
