import { NativeChain } from './chain.ts'
import { FLAG } from './arena.ts'
import { ChainStep } from './chain-step.ts'
import type { Chain, Fd, Options, Step } from './io.ts'

/** A chain whose files have no attributes: the addon finds none and drops those written. It only says so in the trace. */
export class BareChain extends NativeChain {
  override readMetadata(
    fd: Fd,
    names?: readonly string[],
    options?: Options,
  ): Step<ReadonlyMap<string, Buffer>> {
    return unstored(super.readMetadata(fd, names, options))
  }

  override writeMetadata(...args: Parameters<Chain['writeMetadata']>): Step<void> {
    return unstored(super.writeMetadata(...args))
  }
}

function unstored<T>(step: Step<T>): Step<T> {
  if (step instanceof ChainStep) step.flags |= FLAG.unstored
  return step
}
