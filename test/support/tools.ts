import { execFile, execFileSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/** Programs that tests drive, found by a variable of their own or on the path. */
const VARIABLES = {
  aws: 'AWS_CLI',
  python3: 'PYTHON',
  rclone: 'RCLONE',
  s3cmd: 'S3CMD',
  strace: 'STRACE',
  getfattr: 'GETFATTR',
  slapd: 'SLAPD',
  java: 'JAVA',
  chromium: 'CHROMIUM',
  promtool: 'PROMTOOL',
  kustomize: 'KUSTOMIZE',
  docker: 'DOCKER',
  otelcol: 'OTELCOL',
  jaeger: 'JAEGER',
  'rotel-agent': 'ROTEL',
} as const

export type Tool = keyof typeof VARIABLES

/** Path of the program, or undefined and one line that says which tests it would have run. */
export function findTool(tool: Tool): string | undefined {
  const named = process.env[VARIABLES[tool]]
  const candidates =
    named === undefined
      ? // Servers are where only root looks.
        [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'].map((dir) => join(dir, tool))
      : [named]
  const found = candidates.find((path) => isExecutable(path))
  if (found === undefined)
    console.warn(`${tool} is not here (set ${VARIABLES[tool]}): its tests are skipped`)
  return found
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** A Python that can import these modules. */
export function findPython(...modules: string[]): string | undefined {
  const python = findTool('python3')
  if (python === undefined) return undefined
  try {
    execFileSync(python, ['-c', `import ${modules.join(', ')}`], { stdio: 'ignore' })
    return python
  } catch {
    console.warn(`${python} has no ${modules.join(', ')} (set PYTHON): its tests are skipped`)
    return undefined
  }
}

export const isRoot = process.getuid?.() === 0

/** Whether a program can be run that sees mounts of its own. */
export function canUnshareMounts(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    console.warn('unshare --mount is refused (not root?): its tests are skipped')
    return false
  }
}

export interface RunResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly timeoutMs?: number
  /** Fails unless the program ends with 0. */
  readonly check?: boolean
}

/** Runs a program to its end, with nothing of our environment that would point a client elsewhere. */
export function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const { env = {}, cwd, timeoutMs = 60_000, check = true } = options
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(AWS_|RCLONE_|HTTPS?_PROXY$|https?_proxy$)/.test(name),
    ),
  )
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      [...args],
      { cwd, env: { ...inherited, ...env }, timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        const code = child.exitCode ?? -1
        if (check && error !== null)
          reject(new Error(`${program} ${args.join(' ')}: exit ${code}\n${stdout}\n${stderr}`))
        else resolve({ code, stdout, stderr })
      },
    )
  })
}

/** Zipkin's server with all it needs, as Maven Central has it, and the Java that runs it. */
export function findZipkin(): { readonly java: string; readonly jar: string } | undefined {
  const version = '3.5.1'
  const jar =
    process.env['ZIPKIN_JAR'] ??
    join(
      homedir(),
      `.m2/repository/io/zipkin/zipkin-server/${version}/zipkin-server-${version}-exec.jar`,
    )
  const java = findTool('java')
  if (java !== undefined && existsSync(jar)) return { java, jar }
  console.warn(
    `no Zipkin here (mvn dependency:get -Dartifact=io.zipkin:zipkin-server:${version}:jar:exec, ` +
      'or set ZIPKIN_JAR): its test is skipped',
  )
  return undefined
}
