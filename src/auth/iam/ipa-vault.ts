import {
  constants,
  createDecipheriv,
  publicEncrypt,
  randomBytes,
  X509Certificate,
  type KeyObject,
} from 'node:crypto'
import { isObject, parseJson } from './account-record.ts'
import type { StoreCall } from './account-store.ts'
import { IpaError, type IpaClient } from './ipa-client.ts'
import { STORE_TIMEOUT_MS } from './remote-calls.ts'

interface Request extends StoreCall {
  readonly signal: AbortSignal
}

/** What the key recovery authority behind FreeIPA's vaults wants. */
interface VaultSetup {
  readonly transportKey: KeyObject
  readonly algorithm: WrappingAlgorithm
}

type WrappingAlgorithm = 'aes-128-cbc' | 'des-ede3-cbc'

const KEY_BYTES = { 'aes-128-cbc': 16, 'des-ede3-cbc': 24 } as const satisfies Record<
  WrappingAlgorithm,
  number
>

/**
 * Reads the vaults of users. A vault's content is never sent in the clear: the caller makes a session key, wraps it for the
 * authority's transport certificate, and gets the content enciphered with it (CBC, the nonce is its IV). The authority takes
 * either PKCS#1 v1.5 or OAEP wrapping and nothing tells which: as FreeIPA's own client, first the one, then the other.
 */
export class IpaVaults {
  readonly #client: IpaClient
  readonly #vaultName: string
  #setup: Promise<VaultSetup> | undefined
  #oaep = false

  constructor(client: IpaClient, vaultName: string) {
    this.#client = client
    this.#vaultName = vaultName
  }

  /** Content of the user's vault, as text. Throws IpaError where there is none. */
  async retrieve(username: string, request: Request): Promise<string> {
    try {
      return await this.#retrieve(username, this.#oaep, request)
    } catch (error) {
      if (!isUnwrappingFailure(error)) throw error
      // It may as well be a transport certificate that has been renewed.
      this.#setup = undefined
      const secret = await this.#retrieve(username, !this.#oaep, request)
      this.#oaep = !this.#oaep
      return secret
    }
  }

  async #retrieve(username: string, oaep: boolean, request: Request): Promise<string> {
    const { transportKey, algorithm } = await this.#currentSetup(request)
    const sessionKey = randomBytes(KEY_BYTES[algorithm])
    const wrapped = publicEncrypt({ key: transportKey, ...padding(oaep) }, sessionKey)
    const answer = await this.#client.command(
      'vault_retrieve_internal',
      [this.#vaultName],
      {
        username,
        session_key: { __base64__: wrapped.toString('base64') },
        // Servers that know no other algorithm do not know the option either.
        ...(algorithm !== 'des-ede3-cbc' && { wrapping_algo: algorithm }),
      },
      request,
    )
    const content = decipher(algorithm, sessionKey, answer)
    const data = isObject(content) ? content['data'] : undefined
    if (typeof data !== 'string') throw new Error('the vault has no data')
    // A secret that was put into the vault from a file ends with the file's line.
    return Buffer.from(data, 'base64')
      .toString()
      .replace(/\r?\n$/, '')
  }

  /** One question for all who wait for it, whoever of them goes; a failed one is not kept. */
  #currentSetup({ traceHeaders }: Request): Promise<VaultSetup> {
    if (this.#setup !== undefined) return this.#setup
    const setup = this.#showConfig({ traceHeaders, signal: AbortSignal.timeout(STORE_TIMEOUT_MS) })
    this.#setup = setup
    setup.catch(() => {
      if (this.#setup === setup) this.#setup = undefined
    })
    return setup
  }

  async #showConfig(request: Request): Promise<VaultSetup> {
    const config = await this.#client.command('vaultconfig_show', [], { all: true }, request)
    const certificate = bytesOf(config['transport_cert'])
    if (certificate === undefined) throw new Error('vaultconfig_show: no transport certificate')
    return {
      transportKey: new X509Certificate(certificate).publicKey,
      algorithm: chooseAlgorithm(config),
    }
  }
}

const OAEP = {
  padding: constants.RSA_PKCS1_OAEP_PADDING,
  oaepHash: 'sha256',
}

function padding(oaep: boolean): { readonly padding: number; readonly oaepHash?: string } {
  return oaep ? OAEP : { padding: constants.RSA_PKCS1_PADDING }
}

/** The server's preference; servers before 4.9 know triple DES alone and do not say so. */
function chooseAlgorithm(config: Readonly<Record<string, unknown>>): WrappingAlgorithm {
  const preferred = [config['wrapping_default_algorithm']].flat(1)
  const supported = [config['wrapping_supported_algorithms']].flat(1)
  const offered = [...preferred, ...supported].filter((one) => one !== undefined)
  if (offered.length === 0) return 'des-ede3-cbc'
  const chosen = offered.find((one) => one === 'aes-128-cbc' || one === 'des-ede3-cbc')
  if (chosen === undefined) throw new Error('vaultconfig_show: no wrapping algorithm in common')
  return chosen
}

/** The cipher's padding tells a wrong key; what OpenSSL says of it says nothing else. */
function decipher(
  algorithm: WrappingAlgorithm,
  key: Buffer,
  answer: Readonly<Record<string, unknown>>,
): unknown {
  const data = bytesOf(answer['vault_data'])
  const nonce = bytesOf(answer['nonce'])
  if (data === undefined || nonce === undefined) throw new Error('the vault answer has no data')
  const cipher = createDecipheriv(algorithm, key, nonce)
  return parseJson(Buffer.concat([cipher.update(data), cipher.final()]), "the vault's content")
}

/** FreeIPA writes bytes as `{"__base64__": "…"}`. */
function bytesOf(value: unknown): Buffer | undefined {
  const text = isObject(value) ? value['__base64__'] : value
  return typeof text === 'string' ? Buffer.from(text, 'base64') : undefined
}

/** FreeIPA answers a key it cannot unwrap with its codes for internal, failed and generic errors. */
function isUnwrappingFailure(error: unknown): boolean {
  if (!(error instanceof IpaError) || error.code === 4001) return false
  return error.code === 903 || (error.code >= 4000 && error.code < 4300) || error.code === 5000
}
