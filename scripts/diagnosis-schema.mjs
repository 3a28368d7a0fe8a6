// npm run diagnosis-schema [-- --check]: writes docs/schema/diagnosis.schema.json, and the schemas of what a server
// answers, from the types of what is written.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createGenerator } from 'ts-json-schema-generator'
import { root } from './paths.mjs'
import { exitWith, StepError } from './process.mjs'

const schemaOf = (file, type) =>
  createGenerator({
    path: path.join(root, file),
    tsconfig: path.join(root, 'tsconfig.json'),
    type,
    additionalProperties: false,
    skipTypeCheck: true,
  }).createSchema(type)

const diagnosis = () => {
  const { $schema, $ref, definitions } = schemaOf('ts/output/diagnosis-document.ts', 'DiagnosisDocument')
  return {
    $schema,
    $id: 'diagnosis.schema.json',
    title: 'What `jcs diagnose` writes: a diagnosis of jcs-ct without masks and maps',
    $ref,
    definitions,
  }
}

/** By the names that OpenAPI gives them. */
const answers = () => {
  const { definitions } = schemaOf('ts/http/documents.ts', '*')
  const text = JSON.stringify(definitions).replaceAll('#/definitions/', '#/components/schemas/')
  return JSON.parse(text)
}

const files = { 'docs/schema/diagnosis.schema.json': diagnosis, 'ts/http/answers.schema.json': answers }

try {
  for (const [file, make] of Object.entries(files)) {
    const text = `${JSON.stringify(make(), null, 2)}\n`
    if (!process.argv.includes('--check')) writeFileSync(path.join(root, file), text)
    else if (readFileSync(path.join(root, file), 'utf8') !== text)
      throw new StepError(`${file} is not that of the type. Run \`npm run diagnosis-schema\`.`)
  }
} catch (error) {
  exitWith(error)
}
