import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { child, childrenOf, parseXml, type XmlElement } from '../http/xml-reader.ts'
import { XML_DECLARATION, optional, wrap } from '../http/xml.ts'
import { S3Error } from './errors.ts'

/** A bucket's website configuration. Texts that are left out or empty are the same to S3: empty here. */
export interface Website {
  readonly index: string | undefined
  readonly error: string | undefined
  readonly redirectAll: { readonly hostName: string; readonly protocol: string } | undefined
  readonly rules: readonly RoutingRule[]
}

interface RoutingRule {
  readonly condition: { readonly errorCode: string; readonly keyPrefix: string } | undefined
  readonly redirect: Redirect | undefined
}

interface Redirect {
  readonly hostName: string
  readonly code: string
  readonly protocol: string
  readonly keyPrefix: string
  readonly key: string
}

/** Contract 2.2: the body of PutBucketWebsite, and so what its attribute unpacks to. */
export const MAX_WEBSITE_BYTES = 128 * 1024
const MAX_RULES = 50
/** Fifty rules have a tenth of them. */
const MAX_TAGS = 10_000

/** The form in which it is stored: compressed, and nothing else is done to it. */
export const packWebsite: (document: Buffer) => Promise<Buffer> = promisify(gzip)

export function unpackWebsite(stored: Buffer): Promise<Buffer> {
  return promisify(gunzip)(stored, { maxOutputLength: MAX_WEBSITE_BYTES })
}

/** What a document says. MalformedXML where it is none. */
export function readWebsite(bytes: Uint8Array): Website {
  const root = parseXml(bytes, 'WebsiteConfiguration', MAX_TAGS)
  const redirectAll = last(root, 'RedirectAllRequestsTo')
  return {
    index: textIn(last(root, 'IndexDocument'), 'Suffix'),
    error: textIn(last(root, 'ErrorDocument'), 'Key'),
    redirectAll: redirectAll && {
      hostName: lastText(redirectAll, 'HostName'),
      protocol: lastText(redirectAll, 'Protocol'),
    },
    rules: childrenOf(root, 'RoutingRules')
      .flatMap((rules) => childrenOf(rules, 'RoutingRule'))
      .map((rule) => toRule(rule)),
  }
}

/** A document that is put: MalformedXML, or what cannot stand there. */
export function readNewWebsite(bytes: Uint8Array): Website {
  const website = readWebsite(bytes)
  const { index, error, redirectAll, rules } = website
  if (redirectAll !== undefined) {
    const hasOthers = index !== undefined || error !== undefined || rules.length > 0
    if (hasOthers || redirectAll.hostName === '') throw new S3Error('MalformedXML')
    checkProtocol(redirectAll.protocol)
    return website
  }
  if (index === undefined) throw new S3Error('MalformedXML')
  if (index === '' || index.includes('/'))
    throw notWellFormed('IndexDocument', index, 'The IndexDocument Suffix is not well formed')
  if (error === '')
    throw notWellFormed('ErrorDocument', error, 'The ErrorDocument Key is not well formed')
  if (rules.length > MAX_RULES)
    throw invalid(
      `${rules.length} routing rules provided, the number of routing rules in a website configuration is limited to ${MAX_RULES}.`,
    )
  for (const rule of rules) checkRule(rule)
  return website
}

export function renderWebsite({ index, error, redirectAll, rules }: Website): string {
  return (
    XML_DECLARATION +
    wrap(
      'WebsiteConfiguration',
      (index === undefined ? '' : wrap('IndexDocument', optional('Suffix', index))) +
        (error === undefined ? '' : wrap('ErrorDocument', optional('Key', error))) +
        (redirectAll === undefined
          ? ''
          : wrap(
              'RedirectAllRequestsTo',
              optional('HostName', redirectAll.hostName) +
                optional('Protocol', redirectAll.protocol),
            )) +
        wrap('RoutingRules', rules.map((rule) => renderRule(rule)).join('')),
    )
  )
}

/** VersityGW reads the last of several; so do we what it stored. */
function last(parent: XmlElement | undefined, name: string): XmlElement | undefined {
  return childrenOf(parent, name).at(-1)
}

function lastText(parent: XmlElement | undefined, name: string): string {
  return last(parent, name)?.text ?? ''
}

/** Undefined where there is no parent. */
function textIn(parent: XmlElement | undefined, name: string): string | undefined {
  return parent && lastText(parent, name)
}

function toRule(rule: XmlElement): RoutingRule {
  const condition = child(rule, 'Condition')
  const redirect = child(rule, 'Redirect')
  return {
    condition: condition && {
      errorCode: lastText(condition, 'HttpErrorCodeReturnedEquals'),
      keyPrefix: lastText(condition, 'KeyPrefixEquals'),
    },
    redirect: redirect && {
      hostName: lastText(redirect, 'HostName'),
      code: lastText(redirect, 'HttpRedirectCode'),
      protocol: lastText(redirect, 'Protocol'),
      keyPrefix: lastText(redirect, 'ReplaceKeyPrefixWith'),
      key: lastText(redirect, 'ReplaceKeyWith'),
    },
  }
}

function checkRule({ condition, redirect }: RoutingRule): void {
  if (redirect !== undefined) {
    if (isEmpty(redirect)) throw new S3Error('MalformedXML')
    if (redirect.key !== '' && redirect.keyPrefix !== '')
      throw invalid('You can only define ReplaceKeyPrefix or ReplaceKey but not both.')
    checkProtocol(redirect.protocol)
    const code = toCode(redirect.code)
    if (code !== undefined && !isRedirectCode(code))
      throw invalid(
        `The provided HTTP redirect code (${code}) is not valid. Valid codes are 3XX except 300.`,
      )
  }
  if (condition === undefined) return
  if (isEmpty(condition)) throw new S3Error('MalformedXML')
  const code = toCode(condition.errorCode)
  if (code !== undefined && !isErrorCode(code))
    throw invalid(
      `The provided HTTP error code (${code}) is not valid. Valid codes are 4XX or 5XX.`,
    )
}

function isEmpty(texts: object): boolean {
  return Object.values(texts).every((text) => text === '')
}

function checkProtocol(protocol: string): void {
  if (protocol !== '' && protocol !== 'http' && protocol !== 'https')
    throw invalid(
      'Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically.',
    )
}

/** Undefined where there is none. */
function toCode(text: string): number | undefined {
  if (text === '') return undefined
  const code = Number(text)
  if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(code)) throw new S3Error('MalformedXML')
  return code
}

function isRedirectCode(code: number): boolean {
  return code > 300 && code <= 308 && code !== 306
}

/** Those that HTTP/1.1 began with (RFC 2616, 10): VersityGW takes no others. */
function isErrorCode(code: number): boolean {
  return (code >= 400 && code <= 417) || (code >= 500 && code <= 505)
}

function notWellFormed(name: string, value: string, message: string): S3Error {
  const details = { ArgumentName: name, ...(value !== '' && { ArgumentValue: value }) }
  return new S3Error('InvalidArgument', details, { message })
}

function invalid(message: string): S3Error {
  return new S3Error('InvalidRequest', {}, { message })
}

function renderRule({ condition, redirect }: RoutingRule): string {
  const when =
    condition &&
    wrap(
      'Condition',
      optional('HttpErrorCodeReturnedEquals', condition.errorCode) +
        optional('KeyPrefixEquals', condition.keyPrefix),
    )
  const to =
    redirect &&
    wrap(
      'Redirect',
      optional('HostName', redirect.hostName) +
        optional('HttpRedirectCode', redirect.code) +
        optional('Protocol', redirect.protocol) +
        optional('ReplaceKeyPrefixWith', redirect.keyPrefix) +
        optional('ReplaceKeyWith', redirect.key),
    )
  return wrap('RoutingRule', (when ?? '') + (to ?? ''))
}
