import type { Options } from 'yargs'
import type { Scope, Setting } from './setting.ts'

/** Everything this gateway can be told, with its variables; what is not available yet is left out. */
export async function helpText(settings: readonly Setting<unknown>[]): Promise<string> {
  // Loaded when asked for: laying out help takes yargs longer than the gateway takes to start.
  const { default: yargs } = await import('yargs')
  const global = { ...ABOUT, ...options(settings, 'global') }
  const posix = options(settings, 'posix')
  return yargs()
    .scriptName('versitygw-ts')
    .usage('$0 [global flags] posix [flags] DIR')
    .help(false)
    .version(false)
    .wrap(110)
    .options({ ...global, ...posix })
    .group(Object.keys(global), 'Global flags:')
    .group(Object.keys(posix), 'Flags of posix:')
    .getHelp()
}

const ABOUT: Record<string, Options> = {
  help: { type: 'boolean', alias: 'h', describe: 'this text' },
  version: { type: 'boolean', alias: 'v', describe: 'version of the gateway' },
}

function options(settings: readonly Setting<unknown>[], scope: Scope): Record<string, Options> {
  const all: Record<string, Options> = {}
  for (const setting of settings) {
    const { flag, aliases, form, available } = setting
    if (setting.scope !== scope || flag === undefined || !available) continue
    const type = form === 'switch' ? 'boolean' : 'string'
    all[flag] = { alias: [...aliases], describe: describe(setting), type }
  }
  return all
}

function describe(setting: Setting<unknown>): string {
  const isPlain = typeof setting.default === 'string' || typeof setting.default === 'number'
  const isShown = isPlain && !setting.help.includes('(default')
  const names = setting.env.map((source) => (typeof source === 'string' ? source : source.name))
  const shown = isShown ? ` (default ${String(setting.default)})` : ''
  return `${setting.help}${shown} [${[...new Set(names)].join(', ')}]`
}
