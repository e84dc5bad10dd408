import type { Authentication } from '../auth/authenticate.ts'
import type { Identity } from '../auth/identity.ts'
import type { StoredPolicies } from '../auth/policy/stored-policies.ts'
import type { Backend, Body, Call } from '../backend/backend.ts'
import type { Payload } from '../backend/payload.ts'
import type { XmlElement } from '../http/xml-reader.ts'
import { SPAN } from '../trace/names.ts'
import type { Span } from '../trace/recorder.ts'
import { isWriting, type AccessRules } from './access-rules.ts'
import type { StoredCors } from './cors/stored-cors.ts'
import type { S3Error } from './errors.ts'
import type { KeyAccess } from './key-access.ts'
import { normalizeKey } from './names.ts'
import type { ObjectOwnership } from './object-ownership.ts'
import type { PostForm } from './post-form.ts'
import type { S3Request } from './request.ts'

/**
 * An S3 operation has two halves: how it looks on the wire, and what it does. Router, access check, span name, access
 * log, metrics and the table of supported operations are derived from it; it is registered in `operations/index.ts`
 * and nowhere else.
 */
export interface Operation {
  /** As S3 spells it. */
  readonly name: string
  /** Whose operation it is: those of the admin API are for admins alone, and no bucket's policy has a say. */
  readonly api: 'S3' | 'Admin'
  /** What its traces are called: `S3.GetObject`, `Admin.CreateUser`. */
  readonly rootSpan: string
  readonly http: Route
  /** The backend method behind it, for `Backend.<Operation>`: the operation's own name unless told; false where there is none. */
  readonly backendOperation: string | false
  /** What becomes of the request body before `handle`: see `Field`. */
  readonly body: BodyUse
  /** What a caller must be allowed. */
  readonly access: AccessRules
  /** Whether it changes anything, so that a read-only gateway refuses it. */
  readonly writes: boolean
  /** Whether a request for it may name a version of the object. */
  readonly namesVersion: boolean
  /** False where NotImplemented is all it answers. */
  readonly supported: boolean
  /** Reads the input and runs the operation. */
  readonly invoke: (source: InputSource, context: OperationContext) => Promise<S3Response>
}

export type Target = 'service' | 'bucket' | 'object'

/** Which requests an operation answers. `query` parameters and the header must be present. */
export interface Route {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE' | 'OPTIONS' | 'PATCH'
  readonly target: Target
  /** What the path says where it is no bucket's or key's name: `list-users` in place of a bucket, `create` of a key. */
  readonly word?: string
  readonly query?: string | readonly string[] | Readonly<Record<string, string>>
  readonly header?: string | Readonly<Record<string, string>>
}

/** What an operation knows beside its input. */
export interface OperationContext {
  readonly backend: Backend
  readonly call: Call
  readonly caller: Identity
  readonly authentication: Authentication
  /** What he may do to keys that only the body tells. */
  readonly keys: KeyAccess
  readonly accounts: AccountFinder
  readonly policies: StoredPolicies
  readonly cors: StoredCors
  readonly request: S3Request
  readonly settings: S3Settings
}

/** Who has an account, as grantees and principals must. */
export interface AccountFinder {
  readonly rootAccess: string
  /** Anything but undefined, or a promise of it, where there is such an account. */
  find(access: string, under: Span | undefined): unknown
}

/** Settings of the gateway that S3's answers depend on. */
export interface S3Settings {
  readonly region: string
  readonly maxPartNumber: number
  readonly copyObjectThreshold: number
  readonly strictBucketNames: boolean
  /** Without them a bucket belongs to its owner and its policy alone. */
  readonly aclsEnabled: boolean
  /** Whose answers are given where VersityGW's and S3's differ. */
  readonly dialect: 'versitygw' | 'aws'
  /** What a bucket gets whose maker says nothing about ACLs; without any it has them, as with ObjectWriter. */
  readonly defaultOwnership: ObjectOwnership | 'none'
  /** There is a place for old versions. */
  readonly versioningEnabled: boolean
  /** What pages may read of answers about buckets without a CORS configuration: an origin, or `*`. */
  readonly corsAllowOrigin: string | undefined
  /** Whatever writes is refused, to root too. */
  readonly readOnly: boolean
}

/** `headers` is a flat list: name, value, name, value … A string body is XML. */
export interface S3Response {
  readonly status: number
  readonly headers?: readonly string[]
  readonly body?: Body | string | undefined
}

/** Where fields are read from. */
export interface InputSource {
  readonly request: S3Request
  readonly payload: Payload
  /** The root of the body, read and verified; undefined where there is no body. */
  readonly document: XmlElement | undefined
  /** The body itself, where the operation wants it so. */
  readonly bytes: Buffer | undefined
  /** Why the body is no document. */
  readonly malformed: S3Error | undefined
  /** A browser's form, up to its file. */
  readonly form: PostForm | undefined
}

/**
 * `document`, `bytes`: a small body, read whole before `handle`; `payload`: the handler streams it; `form`: a
 * browser's form, which is read up to its file before the caller is known; `none`: it is ignored.
 */
export type BodyUse =
  | { readonly kind: 'none' }
  | { readonly kind: 'payload' }
  | { readonly kind: 'form' }
  | DocumentUse
  | BytesUse

/** A body that is read whole. */
export interface WholeBodyUse {
  readonly maxBytes: number
  readonly required: boolean
  readonly checksumRequired: boolean
  /** `object` where x-amz-checksum headers speak of the object that is made, not of this body. */
  readonly checksumOf: 'body' | 'object'
}

export interface BytesUse extends WholeBodyUse {
  readonly kind: 'bytes'
}

export interface DocumentUse extends WholeBodyUse {
  readonly kind: 'document'
  /** The name of its root element. */
  readonly root: string
  /** What is answered instead of MalformedXML. */
  readonly malformed: ((cause: S3Error) => S3Error) | undefined
}

export interface Field<T> {
  readonly read: (source: InputSource) => T
  readonly body?: BodyUse
}

type Fields = Readonly<Record<string, Field<unknown>>>
type Input<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never }

const NO_BODY: BodyUse = { kind: 'none' }

export function operation<F extends Fields>(
  wire: {
    readonly name: string
    readonly api?: Operation['api']
    readonly http: Route
    readonly input: F
    readonly backendOperation?: string | false
    readonly supported?: boolean
  },
  behaviour: {
    readonly access: AccessRules
    readonly handle: (input: Input<F>, context: OperationContext) => Promise<S3Response>
  },
): Operation {
  const fields = Object.entries(wire.input)
  const read = (source: InputSource): Input<F> => {
    const input: Record<string, unknown> = {}
    for (const [name, field] of fields) input[name] = field.read(source)
    return input as Input<F>
  }
  const { name, api = 'S3' } = wire
  return {
    name,
    api,
    rootSpan: api === 'S3' ? SPAN.root(name) : SPAN.adminRoot(name),
    http: wire.http,
    backendOperation: wire.backendOperation ?? wire.name,
    body: fields.find(([, field]) => field.body !== undefined)?.[1].body ?? NO_BODY,
    access: behaviour.access,
    writes: isWriting(behaviour.access),
    namesVersion: 'versionId' in wire.input,
    supported: wire.supported ?? true,
    invoke: (source, context) => {
      let input: Input<F>
      try {
        input = read(source)
      } catch (error) {
        return refuse(error, wire.http, context)
      }
      return behaviour.handle(input, context)
    },
  }
}

/** A bucket that is not there is told before what is wrong with a request about it: upstream looks at the bucket first. */
async function refuse(
  error: unknown,
  { method, target, word, query: parameters }: Route,
  { request, backend, call }: OperationContext,
): Promise<never> {
  const makesBucket = method === 'PUT' && target === 'bucket' && parameters === undefined
  const isBucket = request.bucket !== undefined && word === undefined
  if (isBucket && !makesBucket) await backend.headBucket(request.bucket ?? '', call)
  throw error
}

/**
 * The bucket or the key of the path; the router guarantees that it is there. The key is in its normal form: what is
 * authorized, opened and told is one name, however it was spelled.
 */
export function label(name: 'bucket' | 'key'): Field<string> {
  return name === 'bucket'
    ? { read: ({ request }) => request.bucket ?? '' }
    : { read: ({ request }) => normalizeKey(request.key ?? '') }
}

/** A query parameter, decoded; undefined where it is absent. */
export function query(name: string): Field<string | undefined>
export function query<T>(name: string, parse: (text: string | undefined) => T): Field<T>
export function query<T>(
  name: string,
  parse?: (text: string | undefined) => T,
): Field<T | string | undefined> {
  return parse === undefined
    ? { read: ({ request }) => request.query.get(name) }
    : { read: ({ request }) => parse(request.query.get(name)) }
}

/** A header's value; undefined where it is absent. */
export function header(name: string): Field<string | undefined>
export function header<T>(name: string, parse: (text: string | undefined) => T): Field<T>
export function header<T>(
  name: string,
  parse?: (text: string | undefined) => T,
): Field<T | string | undefined> {
  return {
    read: ({ request }) => {
      const value = request.headers[name]
      const text = typeof value === 'object' ? value.join(', ') : value
      return parse === undefined ? text : parse(text)
    },
  }
}

/** Several headers at once, by a function of the whole request (user metadata, conditions, checksums, …). */
export function headers<T>(parse: (request: S3Request) => T): Field<T> {
  return { read: ({ request }) => parse(request) }
}

/** The body as it streams. */
export function payload(): Field<Payload> {
  return { read: (source) => source.payload, body: { kind: 'payload' } }
}

/** A browser's form, of which the file is still to be read. */
export function form(): Field<PostForm> {
  return {
    read: ({ form }) => {
      if (form === undefined) throw new Error('the form is read first')
      return form
    },
    body: { kind: 'form' },
  }
}

/**
 * A body that is a document with this root: read whole, its digests verified, then parsed; without a body there is no
 * element. `required` answers MissingRequestBodyError when it is empty, `checksumRequired` InvalidRequest unless
 * Content-MD5 or an x-amz-checksum header came with it.
 */
export function document<T>(
  root: string,
  parse: (element: XmlElement | undefined) => T,
  options: Partial<Omit<DocumentUse, 'kind' | 'root'>> = {},
): Field<T> {
  return {
    read: (source) => parse(rootOf(source)),
    body: documentUse(root, options),
  }
}

/** A document that is looked at when the handler gets to it: there are things to be told before what is wrong with it. */
export function lateDocument<T>(
  root: string,
  parse: (element: XmlElement | undefined) => T,
  options: Partial<Omit<DocumentUse, 'kind' | 'root'>> = {},
): Field<() => T> {
  return {
    read: (source) => () => parse(rootOf(source)),
    body: documentUse(root, options),
  }
}

function rootOf({ document, malformed }: InputSource): XmlElement | undefined {
  if (malformed !== undefined) throw malformed
  return document
}

function documentUse(
  root: string,
  options: Partial<Omit<DocumentUse, 'kind' | 'root'>>,
): DocumentUse {
  return {
    kind: 'document',
    root,
    maxBytes: options.maxBytes ?? 1024 * 1024,
    required: options.required ?? false,
    checksumRequired: options.checksumRequired ?? false,
    checksumOf: options.checksumOf ?? 'body',
    malformed: options.malformed,
  }
}

/** A body of whatever form, read whole, its digests verified; empty where there is none. See `document` for the options. */
export function bytes(options: Partial<Omit<BytesUse, 'kind'>> = {}): Field<Buffer> {
  return {
    read: (source) => source.bytes ?? EMPTY,
    body: {
      kind: 'bytes',
      maxBytes: options.maxBytes ?? 1024 * 1024,
      required: options.required ?? false,
      checksumRequired: options.checksumRequired ?? false,
      checksumOf: options.checksumOf ?? 'body',
    },
  }
}

const EMPTY = Buffer.alloc(0)
