import { median } from './load.mjs'

/** Prints one line a variant: the median of its rounds, and the median ratio to the peer measured in the same round. */
export function report(title, unit, rounds, peer) {
  console.log(`\n${title}`)
  const names = Object.keys(rounds[0])
  for (const name of names) {
    const value = median(rounds.map((round) => round[name]))
    const ratio =
      peer in rounds[0] ? median(rounds.map((round) => round[name] / round[peer])) : undefined
    const text = ratio === undefined ? '' : `${ratio.toFixed(2)} x ${peer}`
    console.log(`  ${name.padEnd(22)} ${format(value).padStart(12)} ${unit}   ${text}`)
  }
}

function format(value) {
  return value >= 100 ? value.toFixed(0) : value.toFixed(2)
}
