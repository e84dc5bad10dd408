import {
  preflightAuthentication,
  type Authentication,
  type AuthFacts,
  type Authenticator,
} from '../auth/authenticate.ts'
import type { StoredPolicies } from '../auth/policy/stored-policies.ts'
import type { Backend } from '../backend/backend.ts'
import type { Payload } from '../backend/payload.ts'
import type { XmlElement } from '../http/xml-reader.ts'
import { SPAN } from '../trace/names.ts'
import type { Recorder, Span } from '../trace/recorder.ts'
import { authorizeAdmin } from './authorize-admin.ts'
import { authorize } from './authorize.ts'
import { mayBypass, wantsBypass } from './bypass-governance.ts'
import { corsTurn, grantOrigin } from './cors/cors-answer.ts'
import type { CorsGrant } from './cors/cors-grant.ts'
import type { StoredCors } from './cors/stored-cors.ts'
import { checkEncryptionHeaders } from './encryption-headers.ts'
import { S3Error } from './errors.ts'
import { ExchangeCall } from './exchange-call.ts'
import type { KeyAccess } from './key-access.ts'
import { checkBucketName, checkKey, normalizeKey } from './names.ts'
import type {
  AccountFinder,
  BytesUse,
  DocumentUse,
  InputSource,
  Operation,
  OperationContext,
  S3Response,
  S3Settings,
} from './operation.ts'
import { formRequest, type PostForm } from './post-form.ts'
import type { S3Request } from './request.ts'
import type { Router } from './route.ts'
import { isVersionId } from './version-id.ts'

/** One request on its way through: what the HTTP layer brings, and what the stages have found out so far. */
export interface Exchange {
  /** Once a form has been read, what it stands for. */
  request: S3Request
  readonly recorder: Recorder
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal
  /** Turns the request's body into object bytes, once it is known how it was signed. */
  openPayload(authentication: Authentication): Payload
  /** Reads a small body whole, verifies its digests and parses it; undefined where it is empty. */
  readDocument(use: DocumentUse): Promise<XmlElement | undefined>
  /** Reads a small body whole and verifies its digests. */
  readBytes(use: BytesUse): Promise<Buffer>
  /** Reads a browser's form up to its file. */
  readForm(): Promise<PostForm>
  operation: Operation | undefined
  authentication: Authentication | undefined
  /** What the page that sent the request may see of the answer, be it an error. */
  corsGrant: CorsGrant | undefined
  /** Open until the last byte of the answer has left: the HTTP layer ends it. */
  backendSpan: Span | undefined
}

export interface PipelineParts {
  readonly router: Router
  readonly authenticator: Authenticator
  readonly accounts: AccountFinder
  readonly backend: Backend
  readonly policies: StoredPolicies
  readonly cors: StoredCors
  readonly settings: S3Settings
}

/**
 * Takes a request through the stages every S3 operation shares: route, names, authenticate, authorize, read the input, run. The
 * order is part of the contract: a bad name wins over a bad signature, a bad signature over a missing bucket.
 */
export type Pipeline = (exchange: Exchange) => Promise<S3Response>

export function createPipeline(parts: PipelineParts): Pipeline {
  return async (exchange) => {
    const { request } = exchange
    const operation = chooseOperation(exchange, parts.router)
    if (request.bucket !== undefined)
      checkBucketName(request.bucket, parts.settings.strictBucketNames)
    if (request.key !== undefined) checkKey(request.key)
    // Browsers alone say where a page comes from; nobody else waits for it.
    const { origin } = request.headers
    const turn =
      origin === undefined && parts.settings.corsAllowOrigin === undefined
        ? undefined
        : corsTurn(operation)
    if (turn === 'start') await grantPage(exchange, operation, parts)
    const form =
      operation.body.kind === 'form' ? await readForm(exchange, parts.settings) : undefined
    const found = authenticate(exchange, operation, parts.authenticator)
    // Promises only where an account store or the bucket has to be asked: root is known at once and may do everything.
    const authentication = found instanceof Promise ? await found : found
    const isAnonymous = authentication.identity.accessKey === undefined
    if (turn === 'caller' && !isAnonymous) await grantPage(exchange, operation, parts)
    const access =
      operation.api === 'Admin'
        ? authorizeAdmin(exchange, operation, authentication, parts.settings)
        : authorize(exchange, operation, authentication, parts)
    const keys = access instanceof Promise ? await access : access
    if (turn === 'allowed' || (turn === 'caller' && isAnonymous))
      await grantPage(exchange, operation, parts)
    if (authentication.payloadFault !== undefined) throw authentication.payloadFault
    if (parts.settings.dialect === 'aws') checkEncryptionHeaders(exchange.request)

    const payload = exchange.openPayload(authentication)
    const span = openBackendSpan(exchange, operation, parts.backend)
    const { body } = operation
    const { document, malformed } =
      body.kind === 'document' ? await readDocument(exchange, body, keys) : NO_DOCUMENT
    const bytes = body.kind === 'bytes' ? await exchange.readBytes(body) : undefined
    const call = new ExchangeCall(span, exchange)
    const context: OperationContext = {
      backend: parts.backend,
      call,
      caller: authentication.identity,
      authentication,
      keys,
      accounts: parts.accounts,
      policies: parts.policies,
      cors: parts.cors,
      request: exchange.request,
      settings: parts.settings,
    }
    if (wantsBypass(context)) call.mayBypass = (ref) => mayBypass(ref, context)
    const source = { request: exchange.request, payload, document, bytes, malformed, form }
    // Awaited here: a promise that is only passed on takes two turns more.
    return await operation.invoke(source, context)
  }
}

async function grantPage(
  exchange: Exchange,
  operation: Operation,
  parts: PipelineParts,
): Promise<void> {
  const call = new ExchangeCall(exchange.recorder.root, exchange)
  exchange.corsGrant = await grantOrigin(operation, exchange.request, parts, call)
}

/** From here on the form's fields are the request: who sent it, what for, and what to keep of it. */
async function readForm(exchange: Exchange, { dialect }: S3Settings): Promise<PostForm> {
  const form = await exchange.readForm()
  exchange.request = formRequest(exchange.request, form, dialect)
  exchange.recorder.root.set('s3.key', normalizeKey(exchange.request.key ?? ''))
  return form
}

type ReadDocument = Pick<InputSource, 'document' | 'malformed'>

const NO_DOCUMENT: ReadDocument = { document: undefined, malformed: undefined }

/** What is wrong with its form is told when the document is looked at, and not before. */
async function readDocument(
  exchange: Exchange,
  use: DocumentUse,
  keys: KeyAccess,
): Promise<ReadDocument> {
  try {
    return { document: await exchange.readDocument(use), malformed: undefined }
  } catch (error) {
    // Whoever has no grant but perhaps on some of the keys is not told what is wrong with them.
    if (error instanceof S3Error && !keys.onBucket) throw new S3Error('AccessDenied')
    if (!(error instanceof S3Error) || error.code !== 'MalformedXML') throw error
    return { document: undefined, malformed: use.malformed?.(error) ?? error }
  }
}

function chooseOperation(exchange: Exchange, router: Router): Operation {
  const { request, recorder } = exchange
  const operation = router(request)
  exchange.operation = operation
  const root = recorder.root
  root.name = operation.rootSpan
  if (root.recording) {
    root.set('s3.operation', operation.name)
    describePlace(root, operation, request)
    describeVersion(root, operation, request)
  }
  return operation
}

/** Bucket and key of the path, unless a word stands in their place. */
function describePlace(span: Span, { http }: Operation, { bucket, key }: S3Request): void {
  if (http.word === undefined || http.target === 'object') {
    if (bucket !== undefined) span.set('s3.bucket', bucket)
    if (key !== undefined && http.word === undefined) span.set('s3.key', key)
  }
}

/** The one that is asked for; the one that was found or made takes its place. */
function describeVersion(root: Span, { namesVersion }: Operation, { query }: S3Request): void {
  const versionId = namesVersion ? query.get('versionId') : undefined
  if (versionId !== undefined && isVersionId(versionId)) root.set('s3.version_id', versionId)
}

function authenticate(
  exchange: Exchange,
  operation: Operation,
  authenticator: Authenticator,
): Authentication | Promise<Authentication> {
  const span = exchange.recorder.root.child(SPAN.auth)
  const facts: AuthFacts = {}
  try {
    // The admin API's ListBuckets is not S3's, which knows another region.
    const name = operation.api === 'S3' ? operation.name : operation.rootSpan
    const found =
      operation.http.method === 'OPTIONS'
        ? preflightAuthentication(facts)
        : authenticator(exchange.request, name, facts, span)
    if (!(found instanceof Promise)) return authenticated(exchange, span, facts, found)
    return found.then(
      (authentication) => authenticated(exchange, span, facts, authentication),
      (error: unknown) => notAuthenticated(span, facts, error),
    )
  } catch (error) {
    return notAuthenticated(span, facts, error)
  }
}

function authenticated(
  exchange: Exchange,
  span: Span,
  facts: AuthFacts,
  authentication: Authentication,
): Authentication {
  exchange.authentication = authentication
  if (authentication.identity.accessKey !== undefined) exchange.recorder.isAuthenticated = true
  if (span.recording) describe(span, facts, authentication)
  span.end()
  return authentication
}

function notAuthenticated(span: Span, facts: AuthFacts, error: unknown): never {
  if (error instanceof S3Error) span.set('error.type', error.code)
  if (span.recording) describe(span, facts, undefined)
  span.end()
  throw error
}

function describe(span: Span, facts: AuthFacts, authentication: Authentication | undefined): void {
  if (facts.method !== undefined) span.set('auth.method', facts.method)
  if (facts.payload !== undefined) span.set('auth.payload', facts.payload)
  if (facts.accessKey !== undefined) span.set('auth.access_key', facts.accessKey)
  if (authentication?.identity.role !== undefined)
    span.set('auth.role', authentication.identity.role)
  if (authentication !== undefined) span.set('auth.is_root', authentication.identity.isRoot)
}

function openBackendSpan(exchange: Exchange, operation: Operation, backend: Backend): Span {
  const { request, recorder } = exchange
  if (operation.backendOperation === false) return recorder.root
  const span = recorder.root.child(SPAN.backend(operation.backendOperation))
  if (span.recording) {
    span.set('backend.type', backend.type)
    span.set('backend.operation', operation.backendOperation)
    describePlace(span, operation, request)
  }
  exchange.backendSpan = span
  return span
}
