import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { findTool } from '../support/tools.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const promtool = findTool('promtool')
const kustomize = findTool('kustomize')
const docker = findTool('docker')
const canCompose = docker !== undefined && spawnSync(docker, ['compose', 'version']).status === 0
const otelcol = findTool('otelcol')

const RULES = 'deploy/prometheus/tracing.rules.yaml'
const DASHBOARD = 'deploy/tempo/grafana/dashboards/versitygw-ts.json'
const MADE_BY_COLLECTORS = /^(?:otelcol|jaeger_storage|traces_span_metrics|traces_service_graph)_/

/** Names of series in PromQL, as far as they are of ours or of collectors. */
function seriesIn(text: string): string[] {
  const names = text.match(
    /\b(?:versitygw|process|otelcol|jaeger|traces)_[a-z_]+(?=[{[ )/]|\\?"|$)/gm,
  )
  return [...new Set(names)]
}

describe('What deploy/ asks Prometheus for', () => {
  test.each([RULES, DASHBOARD])('%s: every series of ours is one that the gateway has', (path) => {
    const documented = new Set(
      [...read('docs/metrics.md').matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, name]) => name),
    )
    const asked = seriesIn(read(path)).filter((name) => !MADE_BY_COLLECTORS.test(name))
    expect(asked.length).toBeGreaterThan(4)
    for (const name of asked)
      expect([name, documented.has(name.replace(/_(?:bucket|sum|count)$/, ''))]).toEqual([
        name,
        true,
      ])
  })

  test.skipIf(promtool === undefined)('the alert rules are rules', () => {
    const told = execFileSync(promtool ?? '', ['check', 'rules', join(root, RULES)], {
      encoding: 'utf8',
    })
    expect(told).toMatch(/SUCCESS: \d+ rules found/)
  })

  test.skipIf(promtool === undefined)('each of them fires when it should', () => {
    const cases = RULES.replace('.yaml', '.test.yaml')
    execFileSync(promtool ?? '', ['test', 'rules', join(root, cases)], { stdio: 'pipe' })
    const alerts = [...read(RULES).matchAll(/alert: (\w+)/g)].map(([, name]) => name)
    expect(alerts.filter((name) => !read(cases).includes(`"${name}"`))).toEqual([])
  })

  test('the dashboard is JSON with panels of both sources, and none without a query', () => {
    const { panels } = JSON.parse(read(DASHBOARD)) as {
      panels: { type: string; title: string; targets?: { expr?: string; query?: string }[] }[]
    }
    for (const { type, title, targets } of panels) {
      const queries = (targets ?? []).map(({ expr, query }) => expr ?? query)
      expect([title, type === 'row' || queries.length > 0]).toEqual([title, true])
    }
    expect(read(DASHBOARD)).toContain(
      '{ resource.service.name = \\"versitygw\\" } | rate() by (span.s3.operation)',
    )
  })
})

test('every variable of the gateway that deploy/ sets is a setting of it', () => {
  const files = readdirSync(join(root, 'deploy'), { recursive: true, encoding: 'utf8' })
  const texts = files.filter((path) => /\.(?:yaml|env)$/.test(path))
  const set = texts.flatMap((path) => read(join('deploy', path)).match(/\bVGW_[A-Z_]+/g) ?? [])
  expect(new Set(set).size).toBeGreaterThan(10)
  const settings = read('README.md')
  expect(set.filter((name) => !settings.includes(`\`${name}\``))).toEqual([])
})

describe.each(['deploy/jaeger/compose.yaml', 'deploy/tempo/compose.yaml'])('%s', (path) => {
  const text = read(path)

  test('what it mounts and builds is here', () => {
    const sources = [...text.matchAll(/(?:- |\['|build: )(\.[^\s:']*)/g)].map(
      ([, source]) => source,
    )
    expect(sources.length).toBeGreaterThan(1)
    for (const source of sources)
      expect([source, existsSync(join(root, dirname(path), source ?? ''))]).toEqual([source, true])
  })

  // Podman asks no registry for a name without one.
  test('images are named in full, with a version', () => {
    for (const [, image] of text.matchAll(/image: (.*)/g))
      expect(image).toMatch(/^docker\.io\/[a-z-]+\/[a-z-]+:v?\d+\.\d+\.\d+$/)
  })

  test('nothing listens but on this host', () => {
    const ports = [...text.matchAll(/'([^']*:\d+:\d+)'/g)].map(([, port]) => port ?? '')
    expect(ports.length).toBeGreaterThan(1)
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([])
  })

  test.skipIf(!canCompose)('docker compose takes it', () => {
    execFileSync(docker ?? '', ['compose', '-f', join(root, path), 'config', '--quiet'], {
      stdio: 'pipe',
    })
  })
})

test.skipIf(otelcol === undefined)('the collector takes its configuration', () => {
  const config = join(root, 'deploy/collector/config.yaml')
  execFileSync(otelcol ?? '', ['validate', '--config', config], { stdio: 'pipe' })
})

describe.skipIf(kustomize === undefined)('deploy/kubernetes', () => {
  const built = (overlay: string): string =>
    execFileSync(kustomize ?? '', ['build', join(root, 'deploy/kubernetes/overlays', overlay)], {
      encoding: 'utf8',
    })
  test('every overlay is built; indices stay for 30 and 90 days', () => {
    const overlays = readdirSync(join(root, 'deploy/kubernetes/overlays')).sort()
    expect(overlays).toEqual(['development', 'production', 'staging'])
    expect(built('development')).not.toContain('kind: CronJob')
    expect(built('staging')).toMatch(/args:\n\s+- "30"\n\s+- http:\/\/elasticsearch:9200/)
    const production = built('production')
    expect(production).toMatch(/args:\n\s+- "90"\n/)
    expect(production).toContain('kind: HorizontalPodAutoscaler')
    expect(production).toContain('memory: 4Gi')
  })
})
