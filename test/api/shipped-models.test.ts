import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Diagnosis, loadModel } from '../../ts/index'
import { sharedData } from './shared-data'
import { repositoryRoot } from './small'

const models = join(repositoryRoot, 'models')

t.test('models by name', async (t) => {
  let bytes = 0
  for (const [name, network] of [
    ['lesions', 'jcs-segmentation'],
    ['lungs', 'unet'],
  ] as const) {
    const file = join(models, `${name}.safetensors`)
    bytes += statSync(file).size
    await using model = await loadModel(name, { device: 'cpu' })
    t.equal(model.spec.network, network)
    t.match(model.notice, /CC BY-NC-SA 4\.0/)
    t.same(model.window, { center: -300, width: 2000 })
    t.equal(await model.sha256(), createHash('sha256').update(readFileSync(file)).digest('hex'))
    t.match(model.provenance, { augmentation: { windowWidth: Number }, seed: 1 })
  }
  t.ok(bytes < 20 * 2 ** 20, 'together at most 20 MB')
  await t.rejects(loadModel('./lesions'), { code: 'FILE_NOT_FOUND' }, 'a path is a path')
})

t.test('the figures that the models’ page shows are those of the cards', async (t) => {
  const { status, stderr } = spawnSync(process.execPath, [join(models, 'tables.mjs'), '--check'], {
    encoding: 'utf8',
  })
  t.equal(status, 0, stderr)
})

const cases = sharedData.path('dicom/covid-ct-md')
const diagnoseCase = (patient: string, ...words: string[]) => {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [
      join(repositoryRoot, 'dist/cli/main.js'),
      'diagnose',
      join(cases, patient),
      '--progress',
      'none',
      ...words,
    ],
    { encoding: 'utf8', maxBuffer: 2 ** 28 },
  )
  return { stdout, stderr, status }
}

/** A radiologist's labels by file name. */
const labelOf = () =>
  new Map(
    readFileSync(join(cases, 'slices.csv'), 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.split(',') as [string, string, string])
      .map(([image, label]) => [image, Number(label)]),
  )

/** What models/README.md says of the same cases. Other instruction sets round otherwise. */
const cards = JSON.parse(readFileSync(join(repositoryRoot, 'models/cards/hu.json'), 'utf8'))

t.test(
  'a scanner’s folder of an infected patient, with no option at all',
  { skip: sharedData.missing },
  async (t) => {
    const { stdout, stderr, status } = diagnoseCase('covid-P002', '--json')
    t.equal(status, 0, stderr)
    const diagnosis = JSON.parse(stdout) as Diagnosis
    t.match(diagnosis, { positive: true, basis: 'lesion-area', totalSlices: 133, laterality: 'patient' })
    t.match(diagnosis.notices.join(), /lesions.*CC BY-NC-SA 4\.0.*lungs.*CC BY-NC-SA 4\.0/s)
    const labels = labelOf()
    const images = (diagnosis.slices as { image?: string }[]).map(({ image }) => image)
    const areas = diagnosis.slices.map(({ lesionAreaMm2 }, index) => ({
      area: lesionAreaMm2!,
      infected: labels.get(`covid-P002/${images[index]}`) === 1,
    }))
    const infected = areas.filter((one) => one.infected)
    const others = areas.filter((one) => !one.infected)
    t.equal(infected.length, 68)
    const wins = infected.reduce(
      (sum, { area }) =>
        sum + others.reduce((won, other) => won + (area > other.area ? 1 : area === other.area ? 0.5 : 0), 0),
      0,
    )
    const auc = wins / (infected.length * others.length)
    t.ok(
      Math.abs(auc - cards['covid-P002'].aucOfLesionArea) < 0.01,
      `lesion areas rank a radiologist's infected slices first: AUC ${auc.toFixed(3)}, as the card says`,
    )
    const { lungVolumeMl } = diagnosis.involvement!
    t.ok(lungVolumeMl > 3000 && lungVolumeMl < 6500, `${lungVolumeMl} ml of lung`)
  },
)

t.test('a scanner’s folder of a patient without infection', { skip: sharedData.missing }, async (t) => {
  const { stdout, stderr, status } = diagnoseCase('normal-001', '--json')
  t.equal(status, 0, stderr)
  const { positive, involvement } = JSON.parse(stdout) as Diagnosis
  t.equal(positive, false)
  t.ok(
    Math.abs(involvement!.percent - cards['normal-001'].percent) < 0.02,
    `${involvement!.percent} % of healthy lungs are called lesion, as the card says`,
  )
  t.equal(involvement!.severityScore, 0)
})
