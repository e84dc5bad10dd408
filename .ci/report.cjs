// Reads a JSON report of Vitest: `node report.cjs REPORT STATUS`, where STATUS is how Vitest ended.
// Prints `PASSED FAILED`, and on standard error what failed, with the first lines of why.
const { readFileSync } = require('node:fs')
const path = require('node:path')

const [, , file, status] = process.argv
const { numPassedTests, testResults } = JSON.parse(readFileSync(file, 'utf8'))
const failures = testResults.flatMap((suite) => {
  const tests = suite.assertionResults
    .filter((test) => test.status === 'failed')
    .map((test) => [`${suite.name} > ${test.fullName}`, test.failureMessages.join('\n')])
  // A file that could not be loaded has no tests that failed.
  return suite.status === 'failed' && tests.length === 0 ? [[suite.name, suite.message]] : tests
})
// Errors outside of tests belong to none.
if (failures.length === 0 && status !== '0')
  failures.push([file, `Vitest ended with ${status}, and no test failed`])

for (const [name, why] of failures) {
  const lines = (why ?? '')
    .split('\n')
    .filter((line) => !line.includes('/node_modules/'))
    .slice(0, 12)
  console.error(
    [`${path.basename(file, '.json')}: ${name}`, ...lines.map((line) => `    ${line}`)].join('\n'),
  )
}
console.log(numPassedTests, failures.length)
