/** Where OTLP is sent: always with a scheme, since gRPC without one tries TLS and hangs towards a plaintext receiver. */
export interface Endpoint {
  readonly url: string
  readonly tls: boolean
}

export interface EndpointOptions {
  readonly protocol: 'grpc' | 'http'
  /** Decides for a bare `host:port` only. */
  readonly insecure: boolean
}

/**
 * Reads `--otel-endpoint`: a URL's scheme decides about TLS, a bare `host:port` follows `--otel-insecure`; the port is
 * 4317 for gRPC and 4318 for HTTP unless given, and HTTP without a path goes to `/v1/traces`. Throws an Error whose
 * message says what is wrong.
 */
export function parseEndpoint(text: string, { protocol, insecure }: EndpointOptions): Endpoint {
  const endpoint = text.trim()
  const [, scheme, rest = endpoint] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/i.exec(endpoint) ?? []
  const chosen = scheme?.toLowerCase() ?? (insecure ? 'http' : 'https')
  if (chosen !== 'http' && chosen !== 'https') {
    throw new Error(`not an OTLP endpoint: "${endpoint}" (http://, https:// or host:port)`)
  }
  const authority = /^[^/?#]*/.exec(rest)?.[0] ?? ''
  const url = parseUrl(`${chosen}://${rest}`)
  if (url === undefined || authority === '') throw new Error(`not an OTLP endpoint: "${endpoint}"`)
  // It would end in logs; keys belong in --otel-headers.
  if (authority.includes('@')) throw new Error('an OTLP endpoint holds no user name or password')
  // URL drops a port that is the scheme's own, but `https://host:443` means what it says.
  const port = /:(\d+)$/.exec(authority)?.[1] ?? (protocol === 'grpc' ? '4317' : '4318')
  const path = protocol === 'grpc' ? '' : url.pathname === '/' ? '/v1/traces' : url.pathname
  const query = protocol === 'grpc' ? '' : url.search
  return { url: `${chosen}://${url.hostname}:${port}${path}${query}`, tls: chosen === 'https' }
}

/** A URL as it may be shown: some receivers take their key in the query. */
export function shownUrl(url: string): string {
  return url.replace(/\?.*$/, '?…')
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}
