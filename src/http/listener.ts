/** Where to listen. A module without imports, so that settings may speak of it too. */
export type Listener = TcpListener | UnixListener

/** Without a host on every address; port 0 is one that the system chooses. */
export interface TcpListener {
  readonly host: string | undefined
  readonly port: number
}

/** A socket in the file system or, where the path begins with NUL, in Linux' abstract name space. */
export interface UnixListener {
  readonly path: string
}

/** As users write it and read it: `unix:/run/s3.sock`, `unix:@name`. */
export function unixUrl({ path }: UnixListener): string {
  return `unix:${path.replace(/^\0/, '@')}`
}
