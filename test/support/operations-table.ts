import type { Operation, Route } from '../../src/s3/operation.ts'

const BEGIN = '<!-- operations: `npm run table` -->\n'
const END = '<!-- end of operations -->\n'

/** README with its table of operations as the operations themselves say it. */
export function withOperationsTable(readme: string, operations: readonly Operation[]): string {
  const begin = readme.indexOf(BEGIN)
  const end = readme.indexOf(END)
  if (begin < 0 || end < begin) throw new Error('README has no place for the table of operations')
  return `${readme.slice(0, begin + BEGIN.length)}\n${renderTable(operations)}\n${readme.slice(end)}`
}

function renderTable(operations: readonly Operation[]): string {
  const known = operations.filter(({ name }) => name !== 'Unknown')
  const supported = known.filter((operation) => operation.supported)
  const missing = new Set(known.filter((operation) => !operation.supported).map(({ name }) => name))
  const rows = supported
    .toSorted((a, b) => compare(a.name, b.name))
    .map((operation) => `| ${operation.name} | ${request(operation.http)} | ${rights(operation)} |`)
  return [
    '| operation | request | what a policy has to allow |',
    '| --- | --- | --- |',
    ...rows,
    '',
    `Answered with NotImplemented: ${[...missing].toSorted(compare).join(', ')}.`,
    '',
  ].join('\n')
}

const PATHS = { service: '/', bucket: '/bucket', object: '/bucket/key' } as const

function request({ method, target, query, header }: Route): string {
  const asked = named(query, '=')
  const line = `\`${method} ${PATHS[target]}${asked.length === 0 ? '' : `?${asked.join('&')}`}\``
  const headers = named(header, ': ').map((text) => `\`${text}\``)
  return [line, ...headers].join(' with ')
}

function named(asked: Route['query'], equals: string): readonly string[] {
  if (asked === undefined) return []
  if (typeof asked === 'string') return [asked]
  if (Array.isArray(asked)) return asked as readonly string[]
  return Object.entries(asked).map(([name, value]) => (value === '' ? name : name + equals + value))
}

/** A right that only some requests need stands in brackets. */
function rights({ access }: Operation): string {
  if (access.makesBucket === true) return 'role `userplus` or `admin`'
  const actions = access.rights.flatMap(({ action, versionAction, withHeaders, withSwitch }) => {
    const isOptional = withHeaders !== undefined || withSwitch !== undefined
    const names = versionAction === undefined ? [action] : [action, versionAction]
    return names.map((name, i) => (isOptional || i > 0 ? `(\`${name}\`)` : `\`${name}\``))
  })
  if (access.readsSource === true) actions.push('`s3:GetObject` of the source')
  return actions.length === 0 ? 'nothing' : actions.join(', ')
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
