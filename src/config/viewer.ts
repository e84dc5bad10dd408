import { randomBytes } from 'node:crypto'
import type { Listener } from '../http/listener.ts'
import type { Values } from './setting.ts'
import { checkCollisions } from './values.ts'
import type { VIEWER_SETTINGS } from './viewer-settings.ts'

export interface ViewerConfig {
  readonly listener: Listener
  readonly hosts: readonly string[]
  /** Secret. Undefined where only accounts may look. */
  readonly token: string | undefined
  /** It is reached from this host only. */
  readonly isLocal: boolean
  readonly maxBytes: number
}

export function viewerConfig(
  viewer: Values<typeof VIEWER_SETTINGS>,
  /** Where the gateway listens already. */
  taken: readonly Listener[],
): ViewerConfig | undefined {
  if (viewer.viewer === undefined) return undefined
  checkCollisions([...taken, viewer.viewer])
  const isLocal = isThisHost(viewer.viewer)
  return {
    listener: viewer.viewer,
    hosts: viewer.viewerHosts,
    // Made here, so that all workers have the same.
    token: viewer.viewerToken ?? (isLocal ? randomBytes(24).toString('base64url') : undefined),
    isLocal,
    maxBytes: viewer.viewerMemory,
  }
}

/** 127.0.0.0/8, ::1, `localhost`, or a socket that only this host can reach. */
function isThisHost(listener: Listener): boolean {
  if ('path' in listener) return true
  const { host = '' } = listener
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}
