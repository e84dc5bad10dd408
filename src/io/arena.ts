/**
 * The memory that chains travel through, shared with the addon: native/arena.h is the other half and says what each
 * field means. A slot holds one chain's job: header, steps, results, system-call records, text in, data out.
 */

/** Sizes and offsets in bytes, compared with the addon's when it is loaded. */
export const LAYOUT = {
  head: 4096,
  slot: 131_072,
  maxSteps: 32,
  maxSyscalls: 128,
  steps: 64,
  results: 2624,
  syscalls: 4672,
  text: 12_864,
  data: 29_248,
  sendId: 0x40000000,
} as const

export const STEP_BYTES = 80
export const RESULT_BYTES = 64

/** In the order of STEPS in native/arena.h, which is compared when the addon is loaded. */
export const OP = {
  open: 0,
  stat: 1,
  statAt: 2,
  readAttributes: 3,
  writeAttributes: 4,
  read: 5,
  readWhole: 6,
  openTmp: 7,
  write: 8,
  hash: 9,
  digest: 10,
  verifyDigest: 11,
  verifySize: 12,
  makeParents: 13,
  link: 14,
  makeDir: 15,
  rename: 16,
  remove: 17,
  removeTree: 18,
  prune: 19,
  sync: 20,
  list: 21,
  statBatch: 22,
  copy: 23,
  writeback: 24,
  lock: 25,
  truncate: 26,
  close: 27,
  owner: 28,
  verifyFile: 29,
  times: 30,
} as const

/** Flags of the header. */
export const CHAIN = { first: 1, more: 2, bulk: 4, syscalls: 8, crowded: 16 } as const

/** Flags of steps; each belongs to one or a few operations. */
export const FLAG = {
  keep: 1,
  directory: 2,
  path: 4,
  followLast: 8,
  write: 16,
  create: 32,
  preallocate: 2,
  sync: 1,
  owner: 2,
  replace: 1,
  onlyOver: 2,
  noReplace: 1,
  removeDirectory: 1,
  removeOnly: 2,
  exclusive: 2,
  regular: 1,
  reflink: 1,
  copyRange: 2,
  readWrite: 4,
  direct: 1,
  pending: 1,
  syncValues: 2,
  copyValues: 4,
  textInPiece: 1 << 16,
  /** Ours alone, for the trace: attributes that are not kept. */
  unstored: 1 << 17,
} as const

export const FD_NONE = -1
/** Minus i: the descriptor that step i of the same job opens. */
export const FD_OF_STEP = -2

export const HASHER_NONE = 0xffff
export const HASHER_JOB = 0xfffe

/** What is to be done about a chain that is submitted: a kick will follow, nothing, or an await. */
export const SUBMIT = { later: 0, now: 1, awaited: 2 } as const

/** States of a result. */
export const RESULT = { notReached: 0, ran: 1, skipped: 2 } as const

/** What fits in a slot's data area beside the metadata read with it. */
export const SMALL_DATA = LAYOUT.slot - LAYOUT.data - 16 * 1024

/** The arena as typed arrays. */
export class Arena {
  readonly bytes: Buffer
  readonly int32: Int32Array
  readonly uint32: Uint32Array
  readonly double: Float64Array

  constructor(memory: ArrayBuffer) {
    this.bytes = Buffer.from(memory)
    this.int32 = new Int32Array(memory)
    this.uint32 = new Uint32Array(memory)
    this.double = new Float64Array(memory)
  }

  /** Where a slot begins, in bytes. */
  base(slot: number): number {
    return LAYOUT.head + slot * LAYOUT.slot
  }
}
