import { generateKeyPairSync, sign, X509Certificate } from 'node:crypto'

/**
 * A self-signed certificate for localhost, made anew for each run so that no key lies in the repository and none
 * expires. X.509 is written out by hand (RFC 5280, section 4.1): Node can read certificates but not make them.
 */
export function makeCertificate(kind: 'ec' | 'rsa' = 'ec'): { key: string; cert: string } {
  const { privateKey, publicKey } =
    kind === 'ec'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 })
  const algorithm = sequence(kind === 'ec' ? OID.ecdsaWithSha256 : OID.sha256WithRsaAndNull)
  const name = sequence(set(sequence(OID.commonName, der(0x0c, Buffer.from('localhost')))))
  const day = 86_400_000
  const validity = sequence(utcTime(Date.now() - day), utcTime(Date.now() + day))
  // dNSName localhost, iPAddress 127.0.0.1 and ::1
  const addresses = [
    der(0x82, Buffer.from('localhost')),
    der(0x87, Buffer.from([127, 0, 0, 1])),
    der(0x87, Buffer.alloc(16).fill(1, 15)),
  ]
  const subjectAltName = sequence(OID.subjectAltName, der(0x04, sequence(...addresses)))
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    algorithm,
    name,
    validity,
    name,
    publicKey.export({ format: 'der', type: 'spki' }),
    der(0xa3, sequence(subjectAltName)),
  )
  const signature = sign('sha256', body, privateKey)
  const bitString = der(0x03, Buffer.concat([Buffer.from([0]), signature]))
  const certificate = new X509Certificate(sequence(body, algorithm, bitString))
  return {
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    cert: certificate.toString(),
  }
}

/** Object identifiers, encoded. */
const OID = {
  commonName: Buffer.from('0603550403', 'hex'),
  subjectAltName: Buffer.from('0603551d11', 'hex'),
  ecdsaWithSha256: Buffer.from('06082a8648ce3d040302', 'hex'),
  sha256WithRsaAndNull: Buffer.from('06092a864886f70d01010b0500', 'hex'),
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content
  const size =
    length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

function sequence(...elements: Buffer[]): Buffer {
  return der(0x30, Buffer.concat(elements))
}

function set(...elements: Buffer[]): Buffer {
  return der(0x31, Buffer.concat(elements))
}

/** YYMMDDHHMMSSZ */
function utcTime(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replaceAll(/[-:T]/g, '').slice(2, 14)
  return der(0x17, Buffer.from(`${digits}Z`))
}
