// `npm start`: sets up what is missing, then serves ./data with tracing on and says how to reach it. npm makes the
// checkout the working directory.
import './setup.mjs'
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'

const CREDENTIALS = '.local/credentials'
const VIEWER = '.local/viewer'

const VIEWER_PORT = 7071

const given = process.argv.slice(2)
const ours = useCredentials()
useTracing()
await useViewer()
mkdirSync('data', { recursive: true })

const { main } = await import('../dist/main.js')
await main(given.includes('posix') ? given : [...given, 'posix', 'data'], ready)

/** Root credentials for the gateway, unless the environment brings some; true where they are those of our file. */
function useCredentials() {
  const { env } = process
  const access = env.ROOT_ACCESS_KEY_ID || env.ROOT_ACCESS_KEY
  const secret = env.ROOT_SECRET_ACCESS_KEY || env.ROOT_SECRET_KEY
  if (access && secret) return false
  const kept = readCredentials() ?? newCredentials()
  env.ROOT_ACCESS_KEY_ID = kept.access
  env.ROOT_SECRET_ACCESS_KEY = kept.secret
  return true
}

/** The file is one of aws-cli's: AWS_SHARED_CREDENTIALS_FILE may name it. */
function readCredentials() {
  let text
  try {
    text = readFileSync(CREDENTIALS, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
  const access = /^aws_access_key_id *= *(\S+)$/m.exec(text)?.[1]
  const secret = /^aws_secret_access_key *= *(\S+)$/m.exec(text)?.[1]
  if (!access || !secret) {
    console.error(`${CREDENTIALS} holds no credentials: repair or delete it`)
    process.exit(1)
  }
  return { access, secret }
}

function newCredentials() {
  const access = `VGW${randomBytes(9).toString('hex').slice(0, 17).toUpperCase()}`
  const secret = randomBytes(30).toString('base64url')
  mkdirSync('.local', { recursive: true, mode: 0o700 })
  const text = `[default]\naws_access_key_id = ${access}\naws_secret_access_key = ${secret}\n`
  writeFileSync(CREDENTIALS, text, { mode: 0o600 })
  chmodSync(CREDENTIALS, 0o600)
  return { access, secret }
}

/** Tracing is on, and on this console unless something says where else traces go. */
function useTracing() {
  const { env } = process
  env.VGW_OTEL_ENABLED ||= 'true'
  const named =
    /^(?:VGW_OTEL_(?:EXPORTER|ENDPOINT)|OTEL_TRACES_EXPORTER|OTEL_EXPORTER_OTLP_(?:TRACES_)?ENDPOINT)$/
  const isNamed = Object.keys(env).some((name) => named.test(name) && env[name] !== '')
  const isFlagged = given.some((argument) => /^--?otel-(?:exporter|endpoint)(?:=|$)/.test(argument))
  if (!isNamed && !isFlagged) env.VGW_OTEL_EXPORTER = 'console'
}

/**
 * The trace viewer, on this host only and with a token that stays the same from start to start, unless something says
 * where else. A port that is taken is no reason not to start.
 */
async function useViewer() {
  const { env } = process
  if (!env.VGW_VIEWER_TOKEN)
    env.VGW_VIEWER_TOKEN = readViewerToken() ?? randomBytes(24).toString('base64url')
  const isFlagged = given.some((argument) => /^--?viewer(?:=|$)/.test(argument))
  if (env.VGW_VIEWER || isFlagged) return
  env.VGW_VIEWER = (await isFree(VIEWER_PORT)) ? `127.0.0.1:${VIEWER_PORT}` : '127.0.0.1:0'
}

function readViewerToken() {
  try {
    return /#token=(\S{16,})$/m.exec(readFileSync(VIEWER, 'utf8'))?.[1]
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/** For `versitygw-ts explain` and `versitygw-ts traces`, which ask the gateway that was started here last. */
function keepViewer(url) {
  mkdirSync('.local', { recursive: true, mode: 0o700 })
  writeFileSync(VIEWER, `${url}\n`, { mode: 0o600 })
  chmodSync(VIEWER, 0o600)
}

function ready({ root, region, tracing }, urls, viewerUrl) {
  if (viewerUrl?.includes('#token=')) keepViewer(viewerUrl)
  const url = urls.find((one) => one.startsWith('http')) ?? '(aws-cli needs a TCP port)'
  const secret = ours ? root.secret : '…'
  const toConsole = tracing.exporters.includes('console')
  console.log(`
Root credentials${ours ? ` (kept in ${CREDENTIALS})` : ''}, and aws-cli against this gateway:

  export AWS_ACCESS_KEY_ID=${root.access} AWS_SECRET_ACCESS_KEY=${secret} AWS_REGION=${region}
  aws --endpoint-url ${url} s3 mb s3://demo
  aws --endpoint-url ${url} s3 cp README.md s3://demo/
  aws --endpoint-url ${url} s3 ls s3://demo

What is slow, what fails, and why (${viewerUrl ? `the link is kept in ${VIEWER}` : 'off'}):

  ${viewerUrl}

Traces ${toConsole ? 'of every request appear below' : `go to: ${tracing.exporters.join(', ')}`}. Ctrl-C stops the gateway.
`)
}
