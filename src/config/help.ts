import type { Argv, Options } from 'yargs'
import { ADMIN_ACTIONS, ADMIN_SETTINGS, type AdminActionName } from './admin-settings.ts'
import type { Scope, Setting } from './setting.ts'
import { DEMO_SETTINGS } from './demo-command.ts'
import { UTILS, type UtilName } from './utils-command.ts'
import { VIEWER_COMMANDS, type ViewerCommandName } from './viewer-command.ts'

/** Everything this gateway can be told, with its variables; what is not available yet is left out. */
export async function helpText(settings: readonly Setting<unknown>[]): Promise<string> {
  const global = { ...ABOUT, ...optionsOf(settings, 'global') }
  const posix = optionsOf(settings, 'posix')
  const help = (await plainYargs())
    .usage('$0 [global flags] posix [flags] DIR')
    .options({ ...global, ...posix })
    .group(Object.keys(global), 'Global flags:')
    .group(Object.keys(posix), 'Flags of posix:')
  for (const [name, text] of Object.entries(OTHER_COMMANDS)) help.command(name, text)
  return help.getHelp()
}

/** Commands beside `posix`, which have a help of their own. */
export const OTHER_COMMANDS = {
  admin: 'manage users and buckets of a running gateway (admin --help)',
  utils: 'small tools for the directory and the configuration (utils --help)',
  explain: 'say in words where the time of a request went (explain --help)',
  traces: 'list or follow the last traces of a running gateway (traces --help)',
  demo: 'a scratch gateway under mixed load, to see traces of (demo --help)',
  completion: 'print the completion script of your shell: versitygw-ts completion >> ~/.bashrc',
}

/** `admin --help`, and that of each action. */
export async function adminHelp(name: AdminActionName | undefined): Promise<string> {
  const help = (await plainYargs()).scriptName('versitygw-ts admin')
  if (name !== undefined) {
    const { flags, help: about } = ADMIN_ACTIONS[name]
    const own = optionsOf(Object.values(flags), 'admin')
    return help
      .usage(`$0 ${name} [flags]\n\n${about}`)
      .options({ help: ABOUT.help, ...own })
      .getHelp()
  }
  for (const [action, { help: about }] of Object.entries(ADMIN_ACTIONS)) help.command(action, about)
  return help
    .usage('$0 [flags] ACTION [flags]')
    .options({ help: ABOUT.help, ...optionsOf(Object.values(ADMIN_SETTINGS), 'admin') })
    .getHelp()
}

/** `utils --help`, and that of each tool. */
export async function utilsHelp(name: UtilName | undefined): Promise<string> {
  const help = (await plainYargs()).scriptName('versitygw-ts utils')
  if (name !== undefined) {
    const { usage, help: about, flags } = UTILS[name]
    const own = optionsOf(Object.values(flags), 'utils')
    return help
      .usage(`$0 ${usage}\n\n${about}`)
      .options({ help: ABOUT.help, ...own })
      .getHelp()
  }
  for (const { usage, help: about } of Object.values(UTILS)) help.command(usage, about)
  return help.usage('$0 TOOL').options({ help: ABOUT.help }).getHelp()
}

/** `explain --help`, `traces --help`. */
export async function viewerHelp(name: ViewerCommandName): Promise<string> {
  const { usage, help: about, flags } = VIEWER_COMMANDS[name]
  return (await plainYargs())
    .usage(`versitygw-ts ${usage}\n\n${about}`)
    .options({ help: ABOUT.help, ...optionsOf(Object.values(flags), 'viewer') })
    .getHelp()
}

export async function demoHelp(): Promise<string> {
  return (await plainYargs())
    .usage(`versitygw-ts demo [flags]\n\n${OTHER_COMMANDS.demo.replace(/ \(.*/, '')}`)
    .options({ help: ABOUT.help, ...optionsOf(Object.values(DEMO_SETTINGS), 'demo') })
    .getHelp()
}

/** Loaded when asked for: laying out help takes yargs longer than the gateway takes to start. */
export async function plainYargs(argv: readonly string[] = []): Promise<Argv> {
  const { default: yargs } = await import('yargs')
  return yargs([...argv])
    .scriptName('versitygw-ts')
    .help(false)
    .version(false)
    .wrap(110)
}

const ABOUT = {
  help: { type: 'boolean', alias: 'h', describe: 'this text' },
  version: { type: 'boolean', alias: 'v', describe: 'version of the gateway' },
} as const satisfies Record<string, Options>

/** The flags of one part of the command line, as yargs has them. */
export function optionsOf(
  settings: readonly Setting<unknown>[],
  scope: Scope,
): Record<string, Options> {
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
  const isShown = isPlain && setting.default !== '' && !setting.help.includes('(default')
  const names = setting.env.map((source) => (typeof source === 'string' ? source : source.name))
  const shown = isShown ? ` (default ${String(setting.default)})` : ''
  const variables = names.length === 0 ? '' : ` [${[...new Set(names)].join(', ')}]`
  return `${setting.help}${shown}${variables}`
}
