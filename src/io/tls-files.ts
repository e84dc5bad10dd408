import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

export interface TlsFiles {
  /** Paths of PEM files. */
  readonly certFile: string
  readonly keyFile: string
}

/** Certificate chain and private key as the TLS server takes them; rejects with the file system's error. */
export async function readTlsFiles({
  certFile,
  keyFile,
}: TlsFiles): Promise<{ cert: Buffer; key: Buffer }> {
  const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)])
  return { cert, key }
}

/** A PEM file as text; rejects with the file system's error. */
export function readPemFile(path: string): Promise<string> {
  return readFile(path, 'utf8')
}

/** The same for those who cannot wait. Throws the file system's error. */
export function readPemFileNow(path: string): string {
  return readFileSync(path, 'utf8')
}
