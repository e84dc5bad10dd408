import type { Environment } from './values.ts'

/** The variables of this process, for what is used as a library and has no command line. */
export const PROCESS_ENVIRONMENT: Environment = process.env
