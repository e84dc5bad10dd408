import { setting, toggle } from './setting.ts'
import { integer, text } from './values.ts'

/** Where accounts come from, and how long they are remembered. */
export const IAM_SETTINGS = {
  iamDir: setting({
    flag: 'iam-dir',
    env: 'VGW_IAM_DIR',
    parse: text,
    help: "directory of the accounts' file users.json",
  }),
  iamCacheDisable: toggle({
    flag: 'iam-cache-disable',
    env: 'VGW_IAM_CACHE_DISABLE',
    help: 'ask the account store for each request',
  }),
  iamCacheTtl: setting({
    flag: 'iam-cache-ttl',
    env: 'VGW_IAM_CACHE_TTL',
    parse: integer(0, 86_400 * 365),
    default: 120,
    help: 'seconds for which an account is not looked up again',
  }),
  iamCacheStale: setting({
    flag: 'iam-cache-stale',
    env: 'VGW_IAM_CACHE_STALE',
    parse: integer(0, 86_400 * 365),
    default: 3600,
    help: 'seconds beyond that for which it goes on while the store cannot be asked',
  }),
  iamCachePrune: setting({
    flag: 'iam-cache-prune',
    env: 'VGW_IAM_CACHE_PRUNE',
    parse: integer(1, 86_400 * 20),
    default: 3600,
    help: 'seconds between clearings of the account cache',
  }),
  iamDebug: toggle({
    flag: 'iam-debug',
    env: 'VGW_IAM_DEBUG',
    help: 'log each call of the account store',
  }),
}
