import { setFlagsFromString } from 'node:v8'

/**
 * What Node cuts small buffers from. Its own 8 KiB hold not even two bodies of 4 KiB, and memory of its own for each
 * body is what the garbage collector minds most.
 */
const BUFFER_POOL_BYTES = 256 * 1024

/**
 * How far the heap of a thread that is started from now on may grow before V8 marks it for the first time; this thread's
 * stays as it is. The one that sends traces holds 8 MB and has buffers of some megabytes on their way: by V8's own choice that is
 * two markings a second, 25 ms of CPU each, mostly on V8's helper threads.
 */
const THREAD_OLD_SPACE_MB = 32

/**
 * Sets the JavaScript engine up for many small requests; to be called before any is served.
 *
 * V8 watches which places of the program make objects that live long, and then makes those in the old space at once. A
 * gateway's start is enough to mislead it: from then on parts of every request go there, and keep what they point to
 * alive until a full collection (`--trace-gc` shows each scavenge keep two megabytes more).
 */
export function prepareRuntime(): void {
  Buffer.poolSize = BUFFER_POOL_BYTES
  setFlagsFromString('--no-allocation-site-pretenuring')
  setFlagsFromString(`--initial-old-space-size=${THREAD_OLD_SPACE_MB}`)
}
