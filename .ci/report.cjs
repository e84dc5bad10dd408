// Reads JSON reports of Vitest.
//   node report.cjs files REPORT           prints the files in which something failed, one a line
//   node report.cjs counts STATUS REPORT…  prints `PASSED FAILED`, and on standard error what failed, with the first lines
//                                          of why. STATUS is how the last run ended; of a file that several reports have,
//                                          the last one counts, and what only an earlier one saw fail is named as such.
const { readFileSync } = require('node:fs')
const path = require('node:path')

const read = (report) => JSON.parse(readFileSync(report, 'utf8')).testResults

/** What failed in a file: `[name, why]` of each test, or of the file where it could not be loaded and has none. */
function failuresOf(file) {
  const tests = file.assertionResults
    .filter((test) => test.status === 'failed')
    .map((test) => [
      `${path.relative('.', file.name)} > ${test.fullName}`,
      test.failureMessages.join('\n'),
    ])
  return file.status === 'failed' && tests.length === 0
    ? [[path.relative('.', file.name), file.message]]
    : tests
}

function tell(run, failures) {
  for (const [name, why] of failures) {
    const lines = (why ?? '').split('\n').filter((line) => !line.includes('/node_modules/'))
    console.error(
      [`${run}: ${name}`, ...lines.slice(0, 12).map((line) => `    ${line}`)].join('\n'),
    )
  }
}

function counts(status, ...reports) {
  const run = path.basename(reports[0], '.json')
  const first = read(reports[0])
  const last = new Map(reports.flatMap(read).map((file) => [file.name, file]))
  const failures = [...last.values()].flatMap(failuresOf)
  // Errors outside of tests belong to none.
  if (failures.length === 0 && status !== '0')
    failures.push([`ended with ${status}, and no test failed`, ''])
  tell(run, failures)
  tell(
    `${run}, but not when run again`,
    first.filter((file) => failuresOf(last.get(file.name)).length === 0).flatMap(failuresOf),
  )
  const passed = [...last.values()]
    .flatMap((file) => file.assertionResults)
    .filter((test) => test.status === 'passed')
  console.log(passed.length, failures.length)
}

const [, , what, ...rest] = process.argv
if (what === 'counts') counts(...rest)
else for (const file of read(rest[0])) if (file.status === 'failed') console.log(file.name)
