import {
  decide,
  decideByCaller,
  decideByRole,
  isExplicitDeny,
  type BucketAccess,
  type Right,
  type Verdict,
} from '../auth/access/decide.ts'
import type { Authentication } from '../auth/authenticate.ts'
import type { Identity } from '../auth/identity.ts'
import type { Tags } from '../backend/backend.ts'
import type { XmlElement } from '../http/xml-reader.ts'
import { SPAN } from '../trace/names.ts'
import type { Recorder, Span } from '../trace/recorder.ts'
import { actionOf, isNeeded, type NeededRight } from './access-rules.ts'
import {
  loadBucketAccess,
  loadOwner,
  type AccessSources,
  type AskedResource,
} from './bucket-access.ts'
import { checkExpectedOwner, expectsOwner, expectsSourceOwner } from './bucket-owner.ts'
import { parseCopySource, type CopySourceRef } from './copy-source.ts'
import { S3Error } from './errors.ts'
import { ExchangeCall } from './exchange-call.ts'
import { EVERY_KEY, PolicyKeyAccess, WITHOUT_TAGS, type KeyAccess } from './key-access.ts'
import { normalizeKey } from './names.ts'
import type { DocumentUse, Operation, S3Settings } from './operation.ts'
import type { S3Request } from './request.ts'
import { parseTagging } from './tags.ts'

/** A request whose sender is known. */
export interface Claimed {
  readonly request: S3Request
  readonly recorder: Recorder
  readonly signal: AbortSignal
  readonly openPayload: (authentication: Authentication) => unknown
  readonly readDocument: (use: DocumentUse) => Promise<XmlElement | undefined>
}

export interface AuthorizerParts extends AccessSources {
  readonly settings: S3Settings
}

/**
 * May this request's sender have what it asks for? AccessDenied unless he may, and what may be told before that:
 * NoSuchBucket, and what is wrong with the name of a copy's source.
 *
 * Root and admins are answered at once. For others the documents that decide are read from the bucket, in one chain, below
 * a span of their own.
 */
export function authorize(
  claimed: Claimed,
  operation: Operation,
  authentication: Authentication,
  parts: AuthorizerParts,
): KeyAccess | Promise<KeyAccess> {
  const caller = authentication.identity
  const verdict = decideByCaller(operation.writes, caller, parts.settings)
  if (verdict?.allowed === true && !namesOwners(operation, claimed.request)) return EVERY_KEY
  const { rights, makesBucket = false, anonymous } = operation.access
  const isOpen = rights.length === 0 && !makesBucket
  if (isOpen && (caller.accessKey !== undefined || anonymous === undefined)) return EVERY_KEY
  return new Authorization(claimed, operation, authentication, parts).run(verdict)
}

function namesOwners({ access }: Operation, request: S3Request): boolean {
  if (access.makesBucket === true) return false
  return expectsOwner(request) || (access.readsSource === true && expectsSourceOwner(request))
}

function targetOf({ bucket = '', key, query }: S3Request): AskedResource {
  return {
    bucket,
    key: key === undefined ? undefined : normalizeKey(key),
    versionId: query.get('versionId') || undefined,
  }
}

class Authorization {
  readonly #claimed: Claimed
  readonly #operation: Operation
  readonly #authentication: Authentication
  readonly #caller: Identity
  readonly #parts: AuthorizerParts
  readonly #span: Span

  constructor(
    claimed: Claimed,
    operation: Operation,
    authentication: Authentication,
    parts: AuthorizerParts,
  ) {
    this.#claimed = claimed
    this.#operation = operation
    this.#authentication = authentication
    this.#caller = authentication.identity
    this.#parts = parts
    this.#span = claimed.recorder.root.child(SPAN.access, {})
  }

  async run(verdict: Verdict | undefined): Promise<KeyAccess> {
    try {
      return await this.#decide(verdict)
    } catch (error) {
      if (error instanceof S3Error) this.#span.set('error.type', error.code)
      throw this.#isAboutRegion(error) ? withRegion(error, this.#parts.settings.region) : error
    } finally {
      this.#span.end()
    }
  }

  async #decide(verdict: Verdict | undefined): Promise<KeyAccess> {
    const { access } = this.#operation
    const { request } = this.#claimed
    const refusal = this.#isAnonymous ? access.anonymous?.refusal : undefined
    if (refusal !== undefined) throw this.#deny({ allowed: false, rule: 'anonymous' }, refusal)
    if (verdict?.allowed === false) throw this.#deny(verdict)
    if (access.makesBucket === true) {
      this.#settle(decideByRole(this.#caller))
      return EVERY_KEY
    }
    if (verdict?.allowed === true) {
      this.#tell(verdict)
      await this.#checkOwners()
      return EVERY_KEY
    }
    if (access.openToAccounts === true && !this.#isAnonymous) return EVERY_KEY
    const source = access.readsSource === true ? this.#source() : undefined
    const bucket = await this.#load(targetOf(request))
    checkExpectedOwner(request, bucket.acl.owner)
    const rights = this.#checkRights(access.rights, bucket)
    const keys = source === undefined ? rights : await this.#checkSource(source, bucket)
    this.#refuseUnsigned()
    return keys
  }

  get #isAnonymous(): boolean {
    return this.#caller.accessKey === undefined
  }

  /** Root and admins need no right, but the bucket must be his whom they take for its owner. */
  async #checkOwners(): Promise<void> {
    const { access } = this.#operation
    const { request } = this.#claimed
    const call = new ExchangeCall(this.#span, this.#claimed)
    const owner = (bucket: string): Promise<string> => loadOwner(bucket, this.#parts, call)
    if (expectsOwner(request)) checkExpectedOwner(request, await owner(request.bucket ?? ''))
    if (access.readsSource === true && expectsSourceOwner(request))
      checkExpectedOwner(request, await owner(this.#source().bucket), 'source')
  }

  #checkRights(rights: readonly NeededRight[], bucket: BucketAccess): KeyAccess {
    const { request } = this.#claimed
    const { anonymous } = this.#operation.access
    let keys = EVERY_KEY
    for (const [index, needed] of rights.entries()) {
      if (!isNeeded(needed, request)) continue
      const { permission, on } = needed
      const instead = this.#isAnonymous ? anonymous?.action : undefined
      const action = index === 0 && instead !== undefined ? instead : actionOf(needed, request)
      if (on === 'keys') {
        keys = this.#checkKeys(needed, bucket)
        // A form has told its key by now.
        if (request.key !== undefined && !keys.mayUse(normalizeKey(request.key)))
          throw this.#deny({ allowed: false, rule: 'policy' })
      } else {
        const key = on === 'object' ? normalizeKey(request.key ?? '') : undefined
        this.#ask({ action, permission, bucket: request.bucket ?? '', key }, bucket)
      }
    }
    return keys
  }

  /** What a policy grants by key waits for the keys; what it denies, or an ACL decides, does not. */
  #checkKeys(needed: NeededRight, bucket: BucketAccess): KeyAccess {
    const keys = new PolicyKeyAccess(needed, this.#claimed.request.bucket ?? '', (right) =>
      this.#judge(right, bucket),
    )
    const verdict = keys.bucketVerdict()
    this.#span.set('auth.action', needed.action)
    if (bucket.policy === undefined || isExplicitDeny(verdict)) {
      this.#settle(verdict)
      return EVERY_KEY
    }
    this.#tell(verdict)
    return keys
  }

  async #checkSource(source: CopySourceRef, target: BucketAccess): Promise<KeyAccess> {
    const { request } = this.#claimed
    const { bucket, key, versionId } = source
    // Conditions see another object, so that a policy is asked anew.
    const isSame = bucket === request.bucket && target.policy === undefined
    const access = isSame ? target : await this.#load(source)
    if (expectsSourceOwner(request)) checkExpectedOwner(request, access.acl.owner, 'source')
    const action = versionId === undefined ? 's3:GetObject' : 's3:GetObjectVersion'
    this.#ask({ action, permission: 'READ', bucket, key }, access)
    return this.#mayCopyTags(source, access, target) ? EVERY_KEY : WITHOUT_TAGS
  }

  /** Whether the source has any is known when it is open; an ACL has already granted what these rights ask for. */
  #mayCopyTags(source: CopySourceRef, from: BucketAccess, to: BucketAccess): boolean {
    const { bucket = '', key = '' } = this.#claimed.request
    const action =
      source.versionId === undefined ? 's3:GetObjectTagging' : 's3:GetObjectVersionTagging'
    const reads = { action, permission: 'READ', bucket: source.bucket, key: source.key } as const
    const writes = {
      action: 's3:PutObjectTagging',
      permission: 'WRITE',
      bucket,
      key: normalizeKey(key),
    } as const
    return this.#judge(reads, from).allowed && this.#judge(writes, to).allowed
  }

  #source(): CopySourceRef {
    const header = this.#claimed.request.headers['x-amz-copy-source']
    return parseCopySource(String(header), this.#parts.settings.strictBucketNames)
  }

  #load(resource: AskedResource): Promise<BucketAccess> {
    const call = new ExchangeCall(this.#span, this.#claimed)
    const { request } = this.#claimed
    const readTags = this.#operation.access.tagsInBody === true ? () => this.#readTags() : undefined
    const asking = { request, authentication: this.#authentication, call, readTags }
    return loadBucketAccess(resource, asking, this.#parts)
  }

  /** What cannot be read holds no tags: it is refused for that once it is allowed. */
  async #readTags(): Promise<Tags | undefined> {
    const { body } = this.#operation
    const { payloadFault } = this.#authentication
    if (body.kind !== 'document' || payloadFault !== undefined) return undefined
    try {
      this.#claimed.openPayload(this.#authentication)
      return parseTagging(await this.#claimed.readDocument(body), 'object')
    } catch (error) {
      if (error instanceof S3Error) return undefined
      throw error
    }
  }

  #judge(right: Right, bucket: BucketAccess): Verdict {
    return decide(right, this.#caller, bucket, this.#parts.settings)
  }

  /** Throws unless it is granted. The last right asked for is the one that decided: it is told. */
  #ask(right: Right, bucket: BucketAccess): void {
    this.#span.set('auth.action', right.action)
    this.#settle(this.#judge(right, bucket))
  }

  #settle(verdict: Verdict): void {
    if (!verdict.allowed) throw this.#deny(verdict)
    this.#tell(verdict)
  }

  #deny(verdict: Verdict, message?: string): S3Error {
    this.#tell(verdict)
    return new S3Error('AccessDenied', {}, message === undefined ? {} : { message })
  }

  #tell({ allowed, rule, statement }: Verdict): void {
    const span = this.#span
    if (!span.recording) return
    span.set('auth.decision', allowed ? 'allow' : 'deny')
    span.set('auth.rule', rule)
    if (statement !== undefined) span.set('auth.statement', statement)
  }

  /** Some requests have to be signed, whatever a policy grants to everyone. */
  #refuseUnsigned(): void {
    const notAllowed = this.#operation.access.anonymous?.notAllowed
    if (!this.#isAnonymous || notAllowed === undefined) return
    const { method, resourceType } = notAllowed
    throw new S3Error('MethodNotAllowed', { Method: method, ResourceType: resourceType })
  }

  /** Clients without rights find a bucket's region by asking for the bucket. */
  #isAboutRegion(error: unknown): error is S3Error {
    const isHead = this.#operation.name === 'HeadBucket' && error instanceof S3Error
    return isHead && (error.code === 'AccessDenied' || this.#isAnonymous)
  }
}

function withRegion(error: S3Error, region: string): S3Error {
  const headers = { ...error.headers, 'x-amz-bucket-region': region }
  return new S3Error(
    error.code,
    { ...error.details },
    { message: error.message, headers, cause: error.cause },
  )
}
