import { setting } from './setting.ts'
import { ConfigError, integer, list, listenerOn, text } from './values.ts'

/** Where the trace viewer listens unless a port is given. */
const VIEWER_PORT = 7071

/** The trace viewer; on the command line these stand before the sub-command. */
export const VIEWER_SETTINGS = {
  viewer: setting({
    flag: 'viewer',
    env: 'VGW_VIEWER',
    parse: listenerOn(VIEWER_PORT),
    help: 'where the trace viewer listens, as --port; off unless given (a host without a port: 7071)',
  }),
  viewerHosts: setting({
    flag: 'viewer-host',
    env: 'VGW_VIEWER_HOST',
    form: 'many',
    parse: list(text),
    default: [],
    help: 'host names the viewer is reached by, beside addresses, localhost and the name of this host',
  }),
  viewerToken: setting({
    env: 'VGW_VIEWER_TOKEN',
    parse: token,
    secret: true,
    help: 'whoever has it may use the viewer; made anew at each start where the viewer listens on this host only',
  }),
  viewerMemory: setting({
    flag: 'viewer-memory',
    env: 'VGW_VIEWER_MEMORY',
    parse: integer(1024 ** 2, 1024 ** 3),
    default: 32 * 1024 ** 2,
    help: 'bytes of memory for the last kept traces, in each worker',
  }),
}

const MIN_TOKEN = 16

function token(value: string): string {
  if (/^[\x21-\x7e]+$/.test(value) && value.length >= MIN_TOKEN) return value
  throw new ConfigError(`not a token: at least ${MIN_TOKEN} characters of ASCII without spaces`)
}
