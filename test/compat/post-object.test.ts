import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'
import { scratch } from '../support/gateway.ts'
import { ACCOUNTS, answerTo, setUp } from './post-answers.ts'
import { FORMS, type FormCase } from './post-forms.ts'

/** What VersityGW answered to each form, and what the object was like then. */
const RECORDED = JSON.parse(
  readFileSync(new URL('post-object.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, Readonly<Record<string, unknown>>>>

/** Where we answer otherwise on purpose, with the clause that says so. */
interface Difference {
  readonly clause: string
  readonly forms: RegExp
  readonly status: number
  readonly code?: string
}

const DIFFERENCES: readonly Difference[] = [
  {
    clause: '4.5: fields after `file` are ignored',
    forms: /^(?:fields after the file are ignored|a second file)$/,
    status: 204,
  },
  {
    clause: 'the same: a key after the file is none',
    forms: /^framing: a file before the key$/,
    status: 400,
    code: 'InvalidArgument',
  },
  {
    clause: 'the same: a signature after the file is none',
    forms: /^signature fields after the file$/,
    status: 403,
    code: 'AccessDenied',
  },
  {
    clause: 'threats.md, A5: a field that comes twice is refused',
    forms: /^(?:a key twice|framing: fields that are many)$/,
    status: 400,
    code: 'MalformedPOSTRequest',
  },
  {
    clause: '4.5: bad framing → MalformedPOSTRequest',
    forms:
      /^framing: (?:another boundary|no end|cut within|line feeds alone|a header without colon)/,
    status: 400,
    code: 'MalformedPOSTRequest',
  },
  {
    clause: 'AWS: a part is what its name says, also where it has a file name',
    forms: /^framing: a field with a file name$/,
    status: 204,
  },
  {
    clause: 'RFC 2046, 5.1.1: a name need not be quoted, and the last line needs no end',
    forms: /^framing: (?:a name without quotes|end without line end)$/,
    status: 204,
  },
  {
    clause: 'AWS: a redirect that is no URL of the web is taken for none',
    forms: /^redirect "(?:|not a url|javascript:alert\(1\)|ftp:\/\/h.example\/)"$/,
    status: 204,
  },
  {
    clause: '6.4: a document with another root is malformed',
    forms: /^field tagging="<Other\/>"/,
    status: 400,
    code: 'MalformedXML',
  },
  {
    clause: '4.5: the signature’s five fields are what signs a form, not a header',
    forms: /^with an Authorization header$/,
    status: 204,
  },
  {
    clause: 'a condition on a name with a blank is one on another field',
    forms: /^policy: eq with a space$/,
    status: 403,
    code: 'AccessDenied',
  },
  {
    clause: '4.5: the bucket condition is mandatory; which field is told of several is chance',
    forms:
      /^(?:document .*"expiration":"2099.*"conditions":(?:\[\]|null)\}|(?:a|no) condition of the signature.*|policy: failed and not covered)$/,
    status: 403,
    code: 'AccessDenied',
  },
  {
    clause: 'a name of no characters is none, here as in PutObject',
    forms: /^field x-amz-meta-="x"/,
    status: 204,
  },
  {
    clause: '9.2, 16: aws-chunked is not stored',
    forms: /^field content-encoding="aws-chunked"/,
    status: 204,
  },
]

const dir = mkdtempSync(join(scratch(), 'vgw-post-'))
for (const name of ['data', 'iam']) mkdirSync(join(dir, name))
const { alice, bob } = ACCOUNTS
const accessAccounts = Object.fromEntries(
  [alice, bob].map((account) => [
    account.access,
    { ...account, role: 'user', userID: 0, groupID: 0, projectID: 0 },
  ]),
)
writeFileSync(join(dir, 'iam', 'users.json'), JSON.stringify({ accessAccounts }), { mode: 0o600 })
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const at = useGateway({ dir: join(dir, 'data'), flags: ['--iam-dir', join(dir, 'iam')] })
beforeAll(() => setUp(at.gateway.port))

test('every form is answered and stored as VersityGW did', async () => {
  const wrong: unknown[] = []
  for (const form of FORMS) {
    const answer = await answerTo(at.gateway.port, form)
    const expected = RECORDED[form.name]
    const difference = DIFFERENCES.find(({ forms }) => forms.test(form.name))
    if (difference === undefined) {
      if (JSON.stringify(comparable(answer, form)) !== JSON.stringify(comparable(expected, form)))
        wrong.push({ form: form.name, answer, expected })
    } else if (!isAsMeant(answer, difference)) {
      wrong.push({ form: form.name, answer, difference })
    }
  }
  expect(wrong).toEqual([])
})

function isAsMeant(answer: Readonly<Record<string, unknown>>, meant: Difference): boolean {
  const { status, xml = '' } = answer
  return status === meant.status && (meant.code === undefined || String(xml).includes(meant.code))
}

/** Without a content type VersityGW guesses one from the bytes; AWS stores binary/octet-stream. */
function comparable(
  answer: Readonly<Record<string, unknown>> = {},
  { fields = [] }: FormCase,
): object {
  if (fields.some(([name, value]) => name === 'content-type' && value !== '')) return answer
  const { object, ...rest } = answer
  return object === undefined ? rest : { ...rest, object: { ...object, 'content-type': undefined } }
}
