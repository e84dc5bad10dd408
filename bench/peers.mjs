import { spawn } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { ACCESS, SECRET } from './sign.mjs'

const BIN = fileURLToPath(new URL('../bin/versitygw-ts', import.meta.url))
const SINK = fileURLToPath(new URL('./otlp-sink.mjs', import.meta.url))

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

/** A process that answers on `endpoint`; `stop` ends it and waits. */
async function start(name, command, args, env, endpoint) {
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = new Promise((resolve) => child.on('exit', resolve))
  for (let tries = 0; ; tries++) {
    try {
      await fetch(endpoint, { signal: AbortSignal.timeout(1000) })
      break
    } catch {
      if (tries > 100 || child.exitCode !== null)
        throw new Error(`${name} does not answer on ${endpoint}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  return {
    name,
    endpoint,
    pid: child.pid,
    stop: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}

const CREDENTIALS = { ROOT_ACCESS_KEY_ID: ACCESS, ROOT_SECRET_ACCESS_KEY: SECRET }

/** This gateway, from `dist/` of this checkout or of another one (`bin`). */
export async function startOurs(
  directory,
  { name = 'ours', tracing, durability = 'none', bin = BIN, flags = [], posixFlags = [] } = {},
) {
  mkdirSync(directory, { recursive: true })
  const port = await freePort()
  const traced =
    tracing === undefined ? [] : ['--otel-enabled', '--otel-insecure', '--otel-endpoint', tracing]
  const args = [
    bin,
    '--quiet',
    '--port',
    `127.0.0.1:${port}`,
    ...traced,
    ...flags,
    'posix',
    '--durability',
    durability,
    ...posixFlags,
    directory,
  ]
  return start(name, process.execPath, args, CREDENTIALS, `http://127.0.0.1:${port}`)
}

/** VersityGW, where its binary is named by $VERSITYGW. */
export async function startVersityGW(directory) {
  mkdirSync(directory, { recursive: true })
  const port = await freePort()
  const args = ['--quiet', '--keep-alive', '--port', `127.0.0.1:${port}`, 'posix', directory]
  return start('versitygw', process.env.VERSITYGW, args, CREDENTIALS, `http://127.0.0.1:${port}`)
}

/** nginx serving a directory as plain files. */
export async function startNginx(directory, scratch) {
  const port = await freePort()
  mkdirSync(`${scratch}/nginx/logs`, { recursive: true })
  const conf = `${scratch}/nginx/nginx.conf`
  writeFileSync(
    conf,
    `daemon off; user root; worker_processes 1; pid ${scratch}/nginx/pid; error_log /dev/null;
events { worker_connections 1024; }
http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
  client_body_temp_path ${scratch}/nginx/body; proxy_temp_path ${scratch}/nginx/p; fastcgi_temp_path ${scratch}/nginx/f;
  uwsgi_temp_path ${scratch}/nginx/u; scgi_temp_path ${scratch}/nginx/s;
  server { listen 127.0.0.1:${port}; root ${directory}; } }
`,
  )
  return start(
    'nginx',
    'nginx',
    ['-p', `${scratch}/nginx`, '-c', conf],
    {},
    `http://127.0.0.1:${port}`,
  )
}

/** A receiver that takes OTLP over gRPC and keeps nothing; a process of its own, as in real life. */
export async function startSink() {
  const port = await freePort()
  const child = spawn(process.execPath, [SINK, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await new Promise((resolve) => child.stdout.once('data', resolve))
  return {
    endpoint: `127.0.0.1:${port}`,
    stop: () =>
      new Promise((resolve) => {
        let text = ''
        child.stdout.on('data', (piece) => (text += piece))
        child.on('exit', () => resolve(JSON.parse(text)))
        child.kill('SIGTERM')
      }),
  }
}

export function clean(directory) {
  rmSync(directory, { recursive: true, force: true })
}
