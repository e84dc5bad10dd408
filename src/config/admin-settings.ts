import { setting, toggle, type Row, type Setting } from './setting.ts'
import { integer, text } from './values.ts'

/** Settings of `versitygw-ts admin`; on the command line they stand between `admin` and the action. */
export const ADMIN_SETTINGS = {
  access: setting({
    scope: 'admin',
    flag: 'access',
    alias: 'a',
    env: ['ADMIN_ACCESS_KEY_ID', 'ADMIN_ACCESS_KEY'],
    parse: text,
    help: 'access key of an admin (the root account unless given)',
  }),
  secret: setting({
    scope: 'admin',
    flag: 'secret',
    alias: 's',
    env: ['ADMIN_SECRET_ACCESS_KEY', 'ADMIN_SECRET_KEY'],
    parse: text,
    secret: true,
    help: 'its secret key; asked for on a terminal where it is not given',
  }),
  region: setting({
    scope: 'admin',
    flag: 'region',
    alias: 'r',
    env: 'ADMIN_REGION',
    parse: text,
    default: 'us-east-1',
    help: 'region of the gateway',
  }),
  endpointUrl: setting({
    scope: 'admin',
    flag: 'endpoint-url',
    alias: 'er',
    env: 'ADMIN_ENDPOINT_URL',
    parse: text,
    help: 'where the admin API answers, such as https://gateway.example:7070',
  }),
  allowInsecure: toggle({
    scope: 'admin',
    flag: 'allow-insecure',
    alias: 'ai',
    env: 'ADMIN_ALLOW_INSECURE',
    help: 'do not verify the TLS certificate of the gateway',
  }),
}

const given = <T>(row: Omit<Row<T>, 'env' | 'scope'>): Setting<T | undefined> =>
  setting({ ...row, scope: 'admin', env: [] })

/** A flag that must be there. */
const needed = (row: Omit<Row<string>, 'env' | 'scope' | 'parse'>): Setting<string> =>
  setting({ ...row, scope: 'admin', env: [], parse: text, default: '' })

const flagged = (flag: string, help: string): Setting<boolean> =>
  toggle({ scope: 'admin', flag, env: [], help })

/** uid_t and gid_t are unsigned and of 32 bits, and all ones means no one. */
const id = integer(0, 0xffff_fffe)

const access = needed({ flag: 'access', alias: 'a', help: 'access key of the account' })
const owner = needed({ flag: 'owner', alias: 'o', help: 'access key of the owner' })

const ACCOUNT_FLAGS = {
  access,
  secret: given({
    flag: 'secret',
    alias: 's',
    parse: text,
    secret: true,
    help: 'secret key of the account; as a flag other users of the machine see it',
  }),
  secretStdin: flagged('secret-stdin', 'read the secret key from standard input'),
  role: given({ flag: 'role', alias: 'r', parse: text, help: 'user, userplus or admin' }),
  userId: given({ flag: 'user-id', alias: 'ui', parse: id, help: 'POSIX user id' }),
  groupId: given({ flag: 'group-id', alias: 'gi', parse: id, help: 'POSIX group id' }),
  projectId: given({ flag: 'project-id', alias: 'pi', parse: id, help: 'project id' }),
}

const OWNER_FLAGS = {
  bucket: needed({ flag: 'bucket', alias: 'b', help: 'name of the bucket' }),
  owner,
}

const LIST_FLAGS = { json: flagged('json', 'JSON for scripts instead of a table') }

const CREATE_BUCKET_FLAGS = {
  owner,
  bucket: needed({ flag: 'bucket', help: 'name of the bucket' }),
  acl: given({
    flag: 'acl',
    parse: text,
    help: 'canned ACL: private, public-read or public-read-write',
  }),
  grantFullControl: given({
    flag: 'grant-full-control',
    parse: text,
    help: 'access keys that may do everything, separated by commas',
  }),
  grantRead: given({ flag: 'grant-read', parse: text, help: 'access keys that may list and read' }),
  grantReadAcp: given({
    flag: 'grant-read-acp',
    parse: text,
    help: 'access keys that may read the ACL',
  }),
  grantWrite: given({
    flag: 'grant-write',
    parse: text,
    help: 'access keys that may write and delete',
  }),
  grantWriteAcp: given({
    flag: 'grant-write-acp',
    parse: text,
    help: 'access keys that may write the ACL',
  }),
  configuration: given({
    flag: 'create-bucket-configuration',
    parse: text,
    help: 'LocationConstraint=…,Tags=[{Key=…,Value=…}] or the same as JSON',
  }),
  lock: flagged('object-lock-enabled-for-bucket', 'objects can be locked'),
  noLock: flagged('no-object-lock-enabled-for-bucket', 'objects cannot be locked'),
  ownership: given({
    flag: 'object-ownership',
    parse: text,
    help: 'BucketOwnerEnforced, BucketOwnerPreferred or ObjectWriter',
  }),
}

interface Action<F extends Flags> {
  readonly help: string
  readonly flags: F
  /** Flags that must be there, in the order in which they are missed. */
  readonly required: readonly string[]
}

type Flags = Readonly<Record<string, Setting<unknown>>>

const action = <F extends Flags>(row: Action<F>): Action<F> => row

/** What can be asked of the admin API, in the order of the help. */
export const ADMIN_ACTIONS = {
  'create-user': action({
    help: 'create a user',
    flags: ACCOUNT_FLAGS,
    required: ['access', 'role'],
  }),
  'update-user': action({
    help: 'change the secret, the role or the ids of a user',
    flags: ACCOUNT_FLAGS,
    required: ['access'],
  }),
  'delete-user': action({ help: 'delete a user', flags: { access }, required: ['access'] }),
  'list-users': action({ help: 'list all users', flags: LIST_FLAGS, required: [] }),
  'change-bucket-owner': action({
    help: 'give a bucket to another user: its ACL starts anew, its policy goes',
    flags: OWNER_FLAGS,
    required: ['bucket', 'owner'],
  }),
  'list-buckets': action({
    help: 'list all buckets and their owners',
    flags: LIST_FLAGS,
    required: [],
  }),
  'create-bucket': action({
    help: 'create a bucket for a user',
    flags: CREATE_BUCKET_FLAGS,
    required: ['owner', 'bucket'],
  }),
}

export type AdminActionName = keyof typeof ADMIN_ACTIONS
