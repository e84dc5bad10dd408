import { afterAll, beforeAll } from 'vitest'
import { installPackage, type InstalledPackage, type RunOptions } from './installed-package.ts'

/** A trace as the console exporter prints it where there is no terminal. */
export interface ShownTrace {
  readonly trace_id: string
  readonly resource: Readonly<Record<string, unknown>>
  readonly spans: readonly ShownSpan[]
}

export interface ShownSpan {
  readonly name: string
  readonly span_id: string
  readonly parent_span_id?: string
  readonly kind: string
  readonly status?: string
  readonly attributes: Readonly<Record<string, unknown>>
  readonly events?: readonly {
    readonly name: string
    readonly attributes: Record<string, unknown>
  }[]
}

/** Programs that import the public module by its name, as an installed package. */
export interface TracingPrograms {
  readonly installed: InstalledPackage
  /** What a program printed: traces by the console exporter, and what it said itself by `say(value)`. */
  readonly run: (
    text: string,
    options?: RunOptions,
  ) => Promise<{ readonly traces: readonly ShownTrace[]; readonly said: readonly unknown[] }>
}

/** What most programs begin with. */
export const CREATE = `import { createTracing } from 'versitygw-ts/tracing'\n`

/** Prints a line that `run` reads. */
export const SAY = 'const say = (said) => console.log(JSON.stringify({ said }))\n'

export function useTracingPrograms(): TracingPrograms {
  let installed: InstalledPackage | undefined
  let count = 0
  beforeAll(() => {
    installed = installPackage()
  })
  afterAll(() => installed?.remove())
  const programs: TracingPrograms = {
    get installed() {
      if (installed === undefined) throw new Error('the package is there only inside tests')
      return installed
    },
    run: async (text, options = {}) => {
      const name = `program-${++count}.mjs`
      programs.installed.write(name, SAY + text)
      const { code, stdout, stderr } = await programs.installed.run(name, options)
      if (code !== 0) throw new Error(`exit code ${code}: ${stderr}${stdout}`)
      const lines = stdout
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line))
      return {
        traces: lines.filter((line) => 'trace_id' in line),
        said: lines.filter((line) => 'said' in line).map(({ said }) => said),
      }
    },
  }
  return programs
}
