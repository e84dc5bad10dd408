import { createHash, createHmac } from 'node:crypto'
import aws4 from 'aws4'
import http from 'node:http'

export const ACCESS = 'benchaccess'
export const SECRET = 'benchsecret'

/** Presigned request targets (path and query) for one method and many keys, valid a day. */
export function presign(endpoint, method, bucket, keys) {
  const { host } = new URL(endpoint)
  const now = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '')
  const scope = `${now.slice(0, 8)}/us-east-1/s3/aws4_request`
  const hmac = (key, text) => createHmac('sha256', key).update(text).digest()
  const signingKey = scope.split('/').reduce(hmac, `AWS4${SECRET}`)
  const query = [
    'X-Amz-Algorithm=AWS4-HMAC-SHA256',
    `X-Amz-Credential=${encodeURIComponent(`${ACCESS}/${scope}`)}`,
    `X-Amz-Date=${now}`,
    'X-Amz-Expires=86400',
    'X-Amz-SignedHeaders=host',
  ].join('&')
  return keys.map((key) => {
    const path = `/${bucket}/${key}`
    const canonical = [method, path, query, `host:${host}`, '', 'host', 'UNSIGNED-PAYLOAD'].join(
      '\n',
    )
    const digest = createHash('sha256').update(canonical).digest('hex')
    const text = ['AWS4-HMAC-SHA256', now, scope, digest].join('\n')
    return `${path}?${query}&X-Amz-Signature=${hmac(signingKey, text).toString('hex')}`
  })
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 })

/** One signed request; resolves to status, headers and body. `body` may be a Buffer or a string. */
export function call(endpoint, method, path, { body, headers = {} } = {}) {
  const { hostname, port, host } = new URL(endpoint)
  const signed = aws4.sign(
    {
      service: 's3',
      region: 'us-east-1',
      method,
      path,
      headers: {
        Host: host,
        'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD',
        'Content-Length': String(body?.length ?? 0),
        ...headers,
      },
    },
    { accessKeyId: ACCESS, secretAccessKey: SECRET },
  )
  return new Promise((resolve, reject) => {
    const request = http.request(
      { hostname, port, method, path, headers: signed.headers, agent },
      (response) => {
        const pieces = []
        response.on('data', (piece) => pieces.push(piece))
        response.on('end', () =>
          resolve({
            status: response.statusCode,
            headers: response.headers,
            body: Buffer.concat(pieces),
          }),
        )
      },
    )
    request.on('error', reject)
    request.end(body)
  })
}

/** Like `call`, but anything but a 2xx is an error. */
export async function must(...args) {
  const answer = await call(...args)
  if (answer.status < 200 || answer.status > 299)
    throw new Error(`${args[1]} ${args[2]}: ${answer.status} ${answer.body}`)
  return answer
}
