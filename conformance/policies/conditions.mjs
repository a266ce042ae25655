// Prints, as JSON, the cases of iam-simulate's tests of condition operators: file, operator, policy values, the
// request's value and context, and what is expected.
import { readFileSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'

const folder = process.argv[2]
const found = []
for (const file of readdirSync(folder, { recursive: true })) {
  if (!file.endsWith('.test.ts')) continue
  const text = readFileSync(join(folder, file), 'utf-8')
  const operator = basename(file, '.test.ts')
  for (const [, list] of text.matchAll(/: BaseOperatorTest\[\] = (\[\n[\s\S]*?\n\])/g)) {
    for (const test of new Function(`return ${list}`)()) {
      found.push({
        operator,
        name: `${operator}: ${test.name}`,
        context: test.requestContext,
        values: test.policyValues,
        value: test.testValue,
        expected: test.expected,
      })
    }
  }
}
process.stdout.write(JSON.stringify(found))
