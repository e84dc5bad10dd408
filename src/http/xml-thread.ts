import { parentPort } from 'node:worker_threads'
import { S3Error } from '../s3/errors.ts'
import { parseXml, type XmlElement } from './xml-reader.ts'

/** The thread that reads large documents, one after the other. */

export interface XmlDocument {
  readonly bytes: Uint8Array
  readonly root: string
}

/** `next` asks for the next piece of the document that was sent last; a document is answered with its first. */
export type ToThread = XmlDocument | 'next'

/** The root comes last, without its children. */
export type FromThread =
  | { readonly kind: 'children'; readonly children: readonly XmlElement[] }
  | { readonly kind: 'root'; readonly root: XmlElement }
  | { readonly kind: 'malformed' }

/** So many take the main thread about a millisecond. */
const PIECE = 500

const port = parentPort
if (port !== null) {
  let pieces: Iterator<FromThread> | undefined
  port.on('message', (message: ToThread) => {
    if (message !== 'next') pieces = answer(message)
    port.postMessage(pieces?.next().value)
  })
}

function* answer({ bytes, root }: XmlDocument): Generator<FromThread> {
  const element = read(bytes, root)
  if (element === undefined) {
    yield { kind: 'malformed' }
    return
  }
  const { children } = element
  for (let at = 0; at < children.length; at += PIECE)
    yield { kind: 'children', children: children.slice(at, at + PIECE) }
  yield { kind: 'root', root: { ...element, children: [] } }
}

function read(bytes: Uint8Array, root: string): XmlElement | undefined {
  try {
    return parseXml(bytes, root)
  } catch (error) {
    if (error instanceof S3Error) return undefined
    throw error
  }
}
