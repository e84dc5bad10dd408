import { constants } from 'node:os'
import type { Fd } from '../../../io/io.ts'
import { formatTraceparent, parseTraceContext } from '../../../trace/context.ts'
import type { RemoteParent } from '../../../trace/recorder.ts'
import { ATTRIBUTE } from '../attributes.ts'
import type { BucketChain, Task } from '../task.ts'

const { E2BIG, ENOSPC } = constants.errno

/**
 * The requests of a multipart upload are traces of their own, minutes or days and perhaps hosts apart. What holds them
 * together is a link from each part and from the completion to the creation, whose context stays with the upload.
 */
export function writeCreator({ span }: Task, { steps }: BucketChain, dir: Fd): void {
  const { recorder } = span
  if (!recorder.recording) return
  const isSampled = recorder.sampling?.isSampledSoFar(recorder) === true
  const creator = formatTraceparent(recorder.traceId, recorder.root.spanId, isSampled)
  // ext4 may have no room for it; an upload without it lacks nothing.
  steps.writeMetadata(dir, [[ATTRIBUTE.createdBy, creator]], { tolerate: [ENOSPC, E2BIG] })
}

/** Undefined where the creation was not traced, or by VersityGW. */
export function readCreator(stored: Buffer | undefined): RemoteParent | undefined {
  return parseTraceContext({ traceparent: stored?.toString('latin1') })
}

export function linkToCreator({ span }: Task, creator: RemoteParent | undefined): void {
  const { recorder } = span
  if (creator === undefined || !recorder.recording) return
  // A client that traces all of the upload has the creation in the same trace: then there is a link too, to its root.
  recorder.link(creator, { 'vgw.link': 'multipart.create' })
}
