import type { Argv, Options } from 'yargs'
import { ADMIN_ACTIONS, ADMIN_SETTINGS } from './admin-settings.ts'
import { OTHER_COMMANDS, optionsOf, plainYargs } from './help.ts'
import type { Scope, Setting } from './setting.ts'
import { DEMO_SETTINGS } from './demo-command.ts'
import { UTILS } from './utils-command.ts'
import { VIEWER_COMMANDS, type ViewerCommandName } from './viewer-command.ts'

/** What a shell asks, with its words behind it. */
const ASKED = '--get-yargs-completions'

export function isCompletion([first]: readonly string[]): boolean {
  return first === 'completion' || first === ASKED
}

/**
 * Prints the script for the user's shell (`completion`), or what can stand where its cursor is. yargs knows both for bash and
 * zsh; it is told of the commands here, and only when it is asked.
 */
export async function printCompletion(
  argv: readonly string[],
  settings: readonly Setting<unknown>[],
): Promise<void> {
  const shell = await plainYargs(argv)
  await shell
    .options(ownOptions(settings, 'global'))
    .command('posix', 'serve a directory', (posix) => posix.options(ownOptions(settings, 'posix')))
    .command('admin', OTHER_COMMANDS.admin, addActions)
    .command('utils', OTHER_COMMANDS.utils, addTools)
    .command('explain', OTHER_COMMANDS.explain, viewerFlags('explain'))
    .command('demo', OTHER_COMMANDS.demo, (demo) =>
      demo.options(ownOptions(Object.values(DEMO_SETTINGS), 'demo')),
    )
    .command('traces', OTHER_COMMANDS.traces, viewerFlags('traces'))
    .completion('completion', OTHER_COMMANDS.completion)
    .exitProcess(false)
    .parseAsync()
}

function addActions(admin: Argv): Argv {
  admin.options(ownOptions(Object.values(ADMIN_SETTINGS), 'admin'))
  for (const [name, { help, flags }] of Object.entries(ADMIN_ACTIONS))
    admin.command(name, help, (action) => action.options(ownOptions(Object.values(flags), 'admin')))
  return admin
}

function addTools(utils: Argv): Argv {
  for (const [name, { help, flags }] of Object.entries(UTILS))
    utils.command(name, help, (tool) => tool.options(ownOptions(Object.values(flags), 'utils')))
  return utils
}

function viewerFlags(name: ViewerCommandName): (command: Argv) => Argv {
  return (command) =>
    command.options(ownOptions(Object.values(VIEWER_COMMANDS[name].flags), 'viewer'))
}

/** yargs would offer the flags before a command behind it too. */
function ownOptions(settings: readonly Setting<unknown>[], scope: Scope): Record<string, Options> {
  const options = Object.entries(optionsOf(settings, scope))
  return Object.fromEntries(options.map(([flag, option]) => [flag, { ...option, global: false }]))
}
