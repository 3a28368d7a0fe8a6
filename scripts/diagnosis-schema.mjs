// npm run diagnosis-schema [-- --check]: writes docs/schema/diagnosis.schema.json from the type of what is written.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createGenerator } from 'ts-json-schema-generator'
import { root } from './paths.mjs'
import { exitWith, StepError } from './process.mjs'

const file = path.join(root, 'docs', 'schema', 'diagnosis.schema.json')

const generate = () => {
  const { $schema, $ref, definitions } = createGenerator({
    path: path.join(root, 'ts', 'output', 'diagnosis-document.ts'),
    tsconfig: path.join(root, 'tsconfig.json'),
    type: 'DiagnosisDocument',
    additionalProperties: false,
    skipTypeCheck: true,
  }).createSchema('DiagnosisDocument')
  const schema = {
    $schema,
    $id: 'diagnosis.schema.json',
    title: 'What `jcs diagnose` writes: a diagnosis of jcs-ct without masks and maps',
    $ref,
    definitions,
  }
  return `${JSON.stringify(schema, null, 2)}\n`
}

try {
  const schema = generate()
  if (!process.argv.includes('--check')) writeFileSync(file, schema)
  else if (readFileSync(file, 'utf8') !== schema)
    throw new StepError(
      `${path.relative(root, file)} is not that of the type. Run \`npm run diagnosis-schema\`.`,
    )
} catch (error) {
  exitWith(error)
}
