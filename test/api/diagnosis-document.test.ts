import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import Ajv from 'ajv'
import t, { type Test } from 'tap'
import { createModel, diagnose, diagnosisDocument, type Images, openCase } from '../../ts'
import type { DiagnoseOptions, DiagnosisModels } from '../../ts/diagnose'
import { element, filesOf, stack, writeFiles } from './dicom-files'
import { lower, lungs, networks, scan, trachea, upper } from './lung-scan'
import { classifierSpec, repositoryRoot, segmenterSpec, smallSlices } from './small'

const execute = promisify(execFile)
const schema = JSON.parse(readFileSync(join(repositoryRoot, 'docs/schema/diagnosis.schema.json'), 'utf8'))
const validate = new Ajv({ strict: true, allErrors: true }).compile(schema)

function isValid(t: Test, document: unknown, what: string): void {
  // What a reader of the file sees.
  t.ok(validate(JSON.parse(JSON.stringify(document))), what)
  t.same(validate.errors ?? [], [])
}

async function documentOf(models: DiagnosisModels, images: Images, options: DiagnoseOptions) {
  using opened = openCase(images, { onGap: 'warn' })
  return diagnosisDocument(await diagnose(models, opened, options), opened.names)
}

t.test('the schema is that of the type', async (t) => {
  await t.resolves(
    execute(process.execPath, [join(repositoryRoot, 'scripts/diagnosis-schema.mjs'), '--check']),
  )
})

t.test('every document is as the schema says', async (t) => {
  const directory = t.testdir({ case: {}, gap: {} })
  const measured = await networks(directory)
  await using _ = measured.lungs
  await using __ = measured.segmenter
  await using classifier = await createModel(classifierSpec)
  await using segmenter = await createModel(segmenterSpec)

  writeFiles(join(directory, 'case'), filesOf(scan([...lungs, trachea, upper, lower])))
  const involved = await documentOf(measured, join(directory, 'case'), {
    sliceThreshold: { millimetres: 10 },
  })
  isValid(t, involved, 'measured')
  t.match(involved, { basis: 'lesion-area', sliceThreshold: 5, sliceThresholdMm: 10 })
  t.equal(involved.involvement!.lesions.length, 2)
  t.ok(
    involved.slices.every(({ positionMm, lesionAreaMm2 }) => positionMm !== undefined && lesionAreaMm2! >= 0),
  )
  t.match(involved.slices[0]!.image, /^IM\d+-0$/)

  const localizer = [element('00080008', 'CS', 'ORIGINAL\\PRIMARY\\LOCALIZER')]
  const slices = stack(10, (number) => (number === 9 ? { change: localizer } : {}))
  writeFiles(join(directory, 'gap'), filesOf(slices.toSpliced(4, 1)))
  const warned = await documentOf({ segmenter }, join(directory, 'gap'), { sliceThreshold: 2 })
  isValid(t, warned, 'with a gap and what is left out')
  t.ok(warned.warnings.length > 0 && warned.series!.excluded.length > 0)

  const pictures = smallSlices(4)
  const all = { sliceThreshold: 0, classificationThreshold: 0, explain: true, probabilities: true }
  const explained = await documentOf({ classifier, segmenter }, pictures, all)
  isValid(t, explained, 'explained')
  t.match(explained, { positive: true, basis: 'classifier', positiveSlices: 4 })
  t.notMatch(JSON.stringify(explained), /"(mask|data|probabilities|activationMap)"/)

  const negative = await documentOf({ classifier, segmenter }, pictures, {
    ...all,
    classificationThreshold: 1,
  })
  isValid(t, negative, 'negative')
  t.equal(negative.positive, false)
  t.equal(negative.slices[0]!.segmentation, undefined)

  const [slice] = explained.slices
  for (const [what, wrong] of Object.entries({
    'a field that is not there': { ...explained, patientName: 'x' },
    'half a slice': { ...explained, positiveSlices: 1.5 },
    'a probability above 1': {
      ...explained,
      slices: [{ ...slice, classification: { probability: 2, positive: true } }],
    },
    'no slices': { ...explained, slices: undefined },
  }))
    t.notOk(validate(JSON.parse(JSON.stringify(wrong))), what)
})

t.test('the command writes and prints such a document', async (t) => {
  const directory = t.testdir({ case: {}, out: {} })
  const { lungs: lungModel, segmenter } = await networks(directory)
  const [lungFile, segmenterFile] = [join(directory, 'lungs.safetensors'), join(directory, 'seg.safetensors')]
  await lungModel.save(lungFile)
  await segmenter.save(segmenterFile)
  await Promise.all([lungModel.dispose(), segmenter.dispose()])
  writeFiles(join(directory, 'case'), filesOf(scan([...lungs, upper])))
  const { stdout } = await execute(process.execPath, [
    join(repositoryRoot, 'dist/cli/main.js'),
    ...['diagnose', join(directory, 'case'), '-s', segmenterFile, '--lungs', lungFile],
    ...['--slice-threshold', '7', '--json', '--out', join(directory, 'out')],
  ])
  const written = JSON.parse(readFileSync(join(directory, 'out/diagnosis.json'), 'utf8'))
  isValid(t, written, 'written')
  t.same(JSON.parse(stdout), written, 'printed')
  t.ok(written.involvement.lesionVolumeMl > 0)
})
