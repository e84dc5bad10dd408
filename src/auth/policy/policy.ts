import type { ActionList } from './actions.ts'
import type { Condition } from './conditions.ts'
import type { Pattern, Variables } from './pattern.ts'

/**
 * A bucket policy, compiled: each matcher is built once, when the document is read.
 *
 * What AWS would refuse and VersityGW stores all the same (a condition it does not look at, `NotPrincipal` with Allow) leaves a
 * `fault` on its statement: see `Statement.fault`.
 */
export interface Policy {
  readonly statements: readonly Statement[]
  /**
   * Keys whose values the policy's conditions and variables ask for, in the form `AccessRequest.conditionValues` takes: so
   * that a caller need not find out what nobody asks for.
   */
  readonly conditionKeys: ReadonlySet<string>
}

export interface Statement {
  /** Its Sid, or its place among the statements where it has none: `0`, `1`, … */
  readonly name: string
  /** As written; a statement with any other word than these two is refused. */
  readonly effect: string
  readonly principal: PrincipalElement | undefined
  readonly action: ActionElement | undefined
  readonly resource: ResourceElement | undefined
  readonly conditions: readonly Condition[]
  /**
   * Why the statement cannot be taken as it is written. It is refused when it is put; one stored by VersityGW grants
   * nothing, and denies as if the part that is not understood held.
   */
  readonly fault: string | undefined
}

/** Each of them may be the `Not…` form: all but these. */
export interface PrincipalElement {
  readonly negated: boolean
  /** Access keys, or `*`. */
  readonly names: ReadonlySet<string>
}

export interface ActionElement {
  readonly negated: boolean
  readonly actions: ActionList
}

export interface ResourceElement {
  readonly negated: boolean
  /** What follows `arn:aws:s3:::`. */
  readonly resources: readonly Resource[]
}

export interface Resource {
  readonly text: string
  readonly pattern: Pattern
}

/** What a policy is asked about. */
export interface AccessRequest {
  /** Access key; undefined for an anonymous caller. */
  readonly principal: string | undefined
  /** `s3:GetObject` */
  readonly action: string
  readonly bucket: string
  /** In its normal form (see `normalizeKey`); undefined where the request is about the bucket. */
  readonly key: string | undefined
  /**
   * The values a condition key has in this request; undefined where it has none. The name is in lower case (`aws:sourceip`)
   * up to a slash; behind one stands a tag's key as it is written (`s3:existingobjecttag/Project`).
   */
  readonly conditionValues: Variables
}

/** Undefined: no statement applies. `statement` is its name. */
export type PolicyDecision =
  | { readonly effect: 'allow' | 'deny'; readonly statement: string }
  | undefined
