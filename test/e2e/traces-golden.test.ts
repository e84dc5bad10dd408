import { describe, test } from 'vitest'
import { traceFile, treeOf } from '../support/golden-tree.ts'
import { expectGolden } from '../support/golden.ts'
import { KINDS } from '../support/operation-kinds.ts'
import { useTracedGateway } from '../support/traced.ts'

const WRITES = /^(Put|Create|Delete|Copy|Upload|Complete|Abort)/

describe('Golden traces', () => {
  const none = useTracedGateway({ posixFlags: ['--durability', 'none'] })
  const full = useTracedGateway({ posixFlags: ['--durability', 'full'] })
  const syscalls = useTracedGateway({
    flags: ['--otel-depth', 'syscall'],
    posixFlags: ['--durability', 'none'],
  })

  test.each(KINDS.map((kind) => [kind.operation, kind] as const))('%s', async (operation, kind) => {
    const sections = [`durability none\n${await treeOf(none, kind)}`]
    if (WRITES.test(operation)) sections.push(`durability full\n${await treeOf(full, kind)}`)
    // How many system calls large bodies take is for the sockets to say.
    if (!operation.includes('large'))
      sections.push(`durability none, depth syscall\n${await treeOf(syscalls, kind)}`)
    expectGolden(traceFile(operation), `${sections.join('\n\n')}\n`)
  })
})
