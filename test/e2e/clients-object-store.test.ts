import { expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'
import { findPython, run } from '../support/tools.ts'

/** Rust's object_store, which data lakes (delta-rs, DataFusion, Polars) write through: their commits are conditional puts. */

const at = useGateway()
const python = findPython('obstore')

const SCRIPT = `
import obstore, os, sys
from obstore.exceptions import AlreadyExistsError, NotModifiedError, PreconditionError
from obstore.store import S3Store
endpoint, bucket, access, secret = sys.argv[1:]
store = S3Store(bucket, prefix='lake', client_options={'allow_http': True}, config={
    'endpoint': endpoint, 'access_key_id': access, 'secret_access_key': secret, 'region': 'us-east-1'})

def refused(error, call):
    try:
        call()
    except error:
        return
    raise SystemExit(f'no {error.__name__}')

odd = 'a b/\u00fc+%2F&;=?#\u65e5\u672c.txt'
obstore.put(store, odd, b'odd')
assert bytes(obstore.get(store, odd).bytes()) == b'odd'

large = os.urandom(17 * 1024 * 1024 + 3)
obstore.put(store, 'large', large, use_multipart=True, attributes={'Content-Type': 'a/b'})
got = obstore.get(store, 'large')
assert got.attributes['Content-Type'] == 'a/b' and bytes(got.bytes()) == large
ranges = obstore.get_ranges(store, 'large', starts=[0, 9_000_000], ends=[3, 9_000_007])
assert [bytes(r) for r in ranges] == [large[:3], large[9_000_000:9_000_007]]

obstore.put(store, '_log/0.json', b'0', mode='create')
refused(AlreadyExistsError, lambda: obstore.put(store, '_log/0.json', b'1', mode='create'))
etag = obstore.head(store, '_log/0.json')['e_tag']
obstore.put(store, '_log/0.json', b'2', mode={'e_tag': etag})
refused(PreconditionError, lambda: obstore.put(store, '_log/0.json', b'3', mode={'e_tag': etag}))
now = obstore.head(store, '_log/0.json')['e_tag']
refused(NotModifiedError, lambda: obstore.get(store, '_log/0.json', options={'if_none_match': now}))
refused(FileNotFoundError, lambda: obstore.head(store, 'never'))

obstore.copy(store, 'large', 'copied')
obstore.rename(store, 'copied', 'moved')
for i in range(20):
    obstore.put(store, f'many/{i:02}', b'x')
listed = [o['path'] for page in obstore.list(store, 'many') for o in page]
assert listed == [f'many/{i:02}' for i in range(20)], listed
assert obstore.list_with_delimiter(store)['common_prefixes'] == ['_log', 'a b', 'many']
obstore.delete(store, [*listed, 'never', odd, 'large', 'moved', '_log/0.json'])
assert [o for page in obstore.list(store) for o in page] == []
print('done')
`

test.skipIf(python === undefined)(
  'obstore: conditional puts, multipart, ranges, lists',
  async () => {
    const { access, secret } = at.credentials
    const args = [at.gateway.endpoint, await at.bucket(), access, secret]
    const { stdout } = await run(python ?? '', ['-c', SCRIPT, ...args])
    expect(stdout).toBe('done\n')
  },
)
