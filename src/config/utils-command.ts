import { resolve as resolvePath } from 'node:path'
import { parseFlags } from './command-line.ts'
import { readTable, setting } from './setting.ts'
import { UsageError, text } from './values.ts'

const GEN_EVENT_FILTER_CONFIG = {
  path: setting({
    scope: 'utils',
    flag: 'path',
    alias: 'p',
    env: [],
    parse: text,
    default: '.',
    help: 'directory of the file',
  }),
}

/** The tools beside the gateway, by their full names. */
export const UTILS = {
  'gen-event-filter-config': {
    alias: 'gefc',
    usage: 'gen-event-filter-config',
    help: 'write event_config.json, the filter of bucket events, with every event on',
    flags: GEN_EVENT_FILTER_CONFIG,
  },
  'convert-xattr-metadata': {
    alias: 'cxm',
    usage: 'convert-xattr-metadata DIR',
    help: 'move metadata that old versions kept in X-Amz-Meta.* attributes to the attribute metadata',
    flags: {},
  },
} as const

export type UtilName = keyof typeof UTILS

export type UtilsCommand =
  | { readonly kind: 'run'; readonly name: UtilName; /** Absolute. */ readonly directory: string }
  | { readonly kind: 'help'; readonly name: UtilName | undefined }

/** Reads `utils tool [flags] [DIR]`. */
export function readUtilsCommand(argv: readonly string[]): UtilsCommand {
  const line = parseFlags(argv, [], { stopsAtOperand: true })
  const [word, ...rest] = line.operands
  if (line.flags.has('help') || word === undefined || word === 'help' || word === 'h')
    return { kind: 'help', name: undefined }
  const name = toolOf(word)
  const own = parseFlags(rest, Object.values(UTILS[name].flags))
  if (own.flags.has('help')) return { kind: 'help', name }
  if (name === 'gen-event-filter-config') {
    const { path } = readTable(GEN_EVENT_FILTER_CONFIG, own.flags, {}).values
    return { kind: 'run', name, directory: resolvePath(path) }
  }
  const [directory] = own.operands
  if (directory === undefined)
    throw new UsageError('missing directory: should be provided as command argument', 2)
  return { kind: 'run', name, directory: resolvePath(directory) }
}

function toolOf(word: string): UtilName {
  for (const [name, { alias }] of Object.entries(UTILS))
    if (word === name || word === alias) return name as UtilName
  throw new UsageError(`No help topic for '${word}'`, 3)
}
