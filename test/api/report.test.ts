import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { disclaimer } from '../../ts/base/disclaimer'
import { writeFileAtomically } from '../../ts/base/write-files'
import type { Pixels } from '../../ts/images'
import { diagnosisReport, overlayPng, trainingReport } from '../../ts/report'
import { ticks } from '../../ts/report/chart'
import { heatColor } from '../../ts/report/colormap'
import { html } from '../../ts/report/html'
import { lesionColor } from '../../ts/report/overlay'
import type { ProgressEvent } from '../../ts/run/progress'
import type { Diagnosis } from '../../ts/run/results'
import { checkSelfContained } from './self-contained'

const side = 64
const gray: Pixels = { data: new Uint8Array(side * side).fill(100), width: side, height: side, channels: 1 }
const hostile = `"><img src=x onerror=alert(1)>'&</script><script>alert(2)</script>`

/** A square lesion, 10 pixels wide, with its upper left corner at (20, 30). */
const square = Uint8Array.from({ length: side * side }, (_, i) => {
  const [x, y] = [i % side, Math.floor(i / side)]
  return x >= 20 && x < 30 && y >= 30 && y < 40 ? 1 : 0
})

function diagnosis(change: Partial<Diagnosis> = {}): Diagnosis {
  const activationMap = { data: new Float32Array(side * side).fill(0.5), width: side, height: side }
  return {
    positive: true,
    basis: 'classifier',
    positiveSlices: 1,
    totalSlices: 2,
    sliceThreshold: 0,
    slices: [
      { index: 0, positive: false, classification: { probability: 0.031, positive: false } },
      {
        index: 1,
        positive: true,
        classification: { probability: 0.87, positive: true, activationMap },
        segmentation: {
          width: side,
          height: side,
          mask: square,
          areaPixels: 100,
          areaMm2: 731.4,
          laterality: 'image',
          lesions: [
            {
              areaPixels: 100,
              areaMm2: 731.4,
              x0: 24.5,
              y0: 34.5,
              width: 10,
              height: 10,
              position: { x: 'left', y: 'down' },
            },
          ],
        },
      },
    ],
    laterality: 'image',
    timing: { decodeMs: 3, classifyMs: 20, lungsMs: 0, segmentMs: 1500, measureMs: 0, totalMs: 1523 },
    warnings: [`The case has 2 slices ${hostile}`],
    models: [
      { role: 'classifier', network: 'res2net50-v1b', window: { center: -600, width: 1500 }, sha256: 'ab12' },
      { role: 'segmenter', network: 'jcs-segmentation', window: { center: -300, width: 2000 } },
    ],
    version: '9.9.9',
    notices: [`Weights under some licence ${hostile}`],
    disclaimer,
    ...change,
  }
}

const plainText = (page: string) =>
  page
    .replace(/<(style|script)>.*?<\/\1>/gs, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')

t.test('a diagnosis: verdict, lesions with the fields of figure 6, notices, all text escaped', async (t) => {
  const page = await diagnosisReport(diagnosis(), [gray, gray], { title: hostile })
  checkSelfContained(t, page)
  const text = plainText(page)
  t.match(text, /Positive 1 of 2 slices are positive; a case is positive with more than 0\./)
  t.match(text, / 2 100 731 left, down 10 × 10 24\.5, 34\.5 /)
  t.match(text, /left is the image’s left, not the patient’s/i)
  t.ok(text.includes(`${disclaimer}.`))
  t.match(text, /segmentation 1\.50 s/)
  t.match(page, /slice 1: 3\.1 %, negative/)
  t.match(page, /slice 2: 87 %, positive/)
  t.match(text, /Weights under some licence/)
  t.match(text, /classifier res2net50-v1b, window -600 \/ 1500 HU SHA-256 ab12/)
  t.match(text, /segmenter jcs-segmentation, window -300 \/ 2000 HU not from a file/)
  t.match(text, /library jcs-ct 9\.9\.9/)
  t.ok(text.includes('&lt;img src=x onerror=alert(1)&gt;'), 'the hostile title is shown as it is')
  t.equal(page.match(/class="lesions"/g)?.length, 1, 'only the slice with lesions has that layer')
  t.equal(page.match(/class="activation"/g)?.length, 1)
})

t.test('a negative case says so and claims no lesions', async (t) => {
  const slices = diagnosis().slices.map(({ index, positive, classification }) => ({
    index,
    positive,
    classification: classification!,
  }))
  const page = await diagnosisReport(
    diagnosis({ positive: false, sliceThreshold: 1, slices, warnings: [] }),
    [gray, gray],
  )
  const text = plainText(page)
  t.match(text, /Negative 1 of 2 slices are positive; a case is positive with more than 1\./)
  t.match(text, /its lesions were not segmented/)
  t.notMatch(text, /Please note/)
  t.ok(text.includes(`${disclaimer}.`))
})

t.test('the images must be those of the diagnosis', async (t) => {
  await t.rejects(diagnosisReport(diagnosis(), [gray]), {
    code: 'SHAPE_MISMATCH',
    message: /2 slices and 1 were given/,
  })
  await t.rejects(diagnosisReport(diagnosis(), [gray, gray, gray]), { code: 'SHAPE_MISMATCH' })
})

const step = (iteration: number) => ({
  phase: 'train' as const,
  done: iteration,
  total: 50,
  epoch: Math.ceil(iteration / 10),
  epochs: 5,
  iteration,
  iterations: 50,
  loss: 2 / iteration,
  losses: { crossEntropy: 1.5 / iteration, activation: iteration % 3 ? 0.5 / iteration : Number.NaN },
  learningRate: 0.1 / iteration,
  samplesPerSecond: 40,
})

const training = {
  history: [
    ...Array.from({ length: 50 }, (_, i) => step(i + 1)),
    {
      phase: 'validate' as const,
      done: 8,
      epoch: 5,
      epochs: 5,
      iteration: 50,
      metrics: { auc: 0.91, f1: Number.NaN },
    },
  ],
  metrics: { auc: 0.91, f1: Number.NaN },
  settings: {
    recipe: 'scratch',
    schedule: { name: 'cosine', learningRate: 0.05 },
    mixup: null,
    note: hostile,
  },
  warnings: [hostile],
  iterations: 50,
  model: { spec: { network: 'res2net50-v1b' as const, width: 0.25 }, device: 'cpu', precision: 'bf16' },
}

t.test('a training run: curves, settings, undefined metrics named as such, all text escaped', async (t) => {
  const page = trainingReport(training)
  checkSelfContained(t, page)
  const text = plainText(page)
  t.match(text, /Training of res2net50-v1b/)
  t.match(text, /AUC 0\.910 F1 undefined/)
  t.match(text, /schedule\.learningRate 0\.05/)
  t.match(text, /mixup none/)
  t.ok(text.includes(`${disclaimer}.`))
  t.equal(page.match(/<svg/g)?.length, 3, 'loss, learning rate, throughput: a single validation is a table')
  t.match(text, /Validation AUC 0\.910 F1 undefined Learning rate/)
  t.notMatch(page, /NaN|undefined"|Infinity/, 'no gap of a curve became a number')
  t.match(page, /aria-label="Loss and its terms: loss from 2 to 0\.04; cross entropy from 1\.5 to 0\.03;/)
  t.throws(() => trainingReport({ ...training, history: [] }), { code: 'INVALID_ARGUMENT' })
})

t.test('metrics are called what people call them, and counts are whole', async (t) => {
  const metrics = { mIoU: 0.5, eMeasureMax: 0.8125, images: 12, emptyTruth: 3, crossEntropy: 0.25 }
  const later: ProgressEvent = { phase: 'validate', done: 8, epoch: 6, epochs: 6, iteration: 60, metrics }
  const page = trainingReport({ ...training, history: [...training.history, later], metrics })
  const text = plainText(page)
  t.match(text, /mIoU 0\.500 E-measure, max 0\.813 images 12 images without lesions 3 cross entropy 0\.250/)
  t.equal(page.match(/<svg/g)?.length, 4, 'two validations are a curve')
})

t.test('curves lie where their values are', async (t) => {
  const page = trainingReport({ ...training, history: training.history.slice(0, 2) })
  // Learning rates 0.1 and 0.05 on an axis from 0 to 0.1: the second point is halfway down the first.
  const [, curve] =
    page.match(/Learning rate<\/figcaption>.*?<path class="line\s+series-0" d="([^"]*)"/s) ?? []
  const [first, second] = [...(curve ?? '').matchAll(/[ML]([\d.]+) ([\d.]+)/g)].map(([, x, y]) => [
    Number(x),
    Number(y),
  ])
  t.same(first, [58, 14])
  t.same(second, [626, 128])
})

t.test('ticks are round numbers that enclose the range', async (t) => {
  t.same(ticks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1])
  t.same(ticks(0, 0.73, 5), [0, 0.2, 0.4, 0.6, 0.8])
  t.same(ticks(-3, 12, 5), [-5, 0, 5, 10, 15])
  for (const [low, high] of [
    [0.0013, 0.0019],
    [-7, 1200],
    [1, 50],
  ] as const) {
    const values = ticks(low, high, 5)
    t.ok(values[0]! <= low && values.at(-1)! >= high && values.length >= 4 && values.length <= 8, `${values}`)
  }
})

t.test('colours of the activation map get lighter step by step', async (t) => {
  const lightness = Array.from({ length: 256 }, (_, i) => {
    const [r, g, b] = heatColor(i / 255).map((byte) => {
      const s = byte / 255
      return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4
    }) as [number, number, number]
    const luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b
    return luminance > 0.008856 ? 116 * Math.cbrt(luminance) - 16 : 903.3 * luminance
  })
  t.ok(lightness[0]! < 8 && lightness[255]! > 88, `CIE L* from ${lightness[0]} to ${lightness[255]}`)
  t.notOk(lightness.some((value, i) => i > 0 && value < lightness[i - 1]! - 0.3))
  const steps = [0, 51, 102, 153, 204].map((i) => lightness[i + 51]! - lightness[i]!)
  t.ok(Math.max(...steps) < 2 * Math.min(...steps), `fifths of the range differ in L* by ${steps}`)
})

t.test('an overlay is the slice with outlined lesions and, below, a legend', async (t) => {
  const slice = {
    data: new Uint8Array(side * side).fill(100),
    width: side,
    height: side,
    channels: 1 as const,
  }
  const lesions = { data: square, width: side, height: side }
  const { data, info } = await sharp(await overlayPng(slice, { lesions }))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  t.match(info, { width: 512, height: 546, channels: 3 })
  const at = (x: number, y: number) => [
    ...data.subarray(3 * (y * info.width + x), 3 * (y * info.width + x) + 3),
  ]
  t.same(at(8, 8), [100, 100, 100], 'the slice itself')
  t.same(at(8 * 20, 8 * 35), [...lesionColor], 'the outline, at the first of the enlarged lesion pixels')
  const inner = at(8 * 25, 8 * 35)
  t.ok(inner[0]! > 110 && inner[0]! < 200 && inner[2]! < 100, `the fill lets the slice through: ${inner}`)
  t.same(at(8 * 20 - 1, 8 * 35), [100, 100, 100], 'nothing outside the mask')
  const bare = await sharp(await overlayPng(slice, { lesions, legend: false })).metadata()
  t.equal(bare.height, 512)
  // 100/255 of the window
  const hounsfield = {
    ...slice,
    data: new Int16Array(side * side).fill(300),
    window: { center: 355, width: 510 },
  }
  const windowed = await sharp(await overlayPng(hounsfield, { lesions }))
    .removeAlpha()
    .raw()
    .toBuffer()
  t.ok(windowed.equals(data), 'signed pixels are shown through their window')
  await t.rejects(overlayPng(slice, { lesions: { data: square, width: 32, height: 128 } }), {
    code: 'SHAPE_MISMATCH',
    message: /lesions is 32 x 128 and the slice 64 x 64/,
  })
})

t.test(
  'the activation map colours the slice where it is strong and leaves it where it is zero',
  async (t) => {
    const slice = {
      data: new Uint8Array(side * side).fill(100),
      width: side,
      height: side,
      channels: 1 as const,
    }
    const half = {
      data: Float32Array.from({ length: side * side }, (_, i) => (i % side < 32 ? 0 : 1)),
      width: side,
      height: side,
    }
    const { data, info } = await sharp(await overlayPng(slice, { activationMap: half }))
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true })
    const at = (x: number) => [...data.subarray(3 * (200 * info.width + x), 3 * (200 * info.width + x) + 3)]
    t.same(at(100), [100, 100, 100])
    const expected = heatColor(1).map((channel) => (channel * 210 + 100 * 45) / 255)
    for (const [i, channel] of at(400).entries()) {
      t.ok(Math.abs(channel - expected[i]!) <= 2, `${channel} near ${expected[i]}`)
    }
  },
)

t.test('files appear whole or not at all', async (t) => {
  const directory = t.testdir({ 'report.html': 'old' })
  const path = join(directory, 'report.html')
  await writeFileAtomically(path, 'new')
  t.equal(await readFile(path, 'utf8'), 'new')
  t.same(await readdir(directory), ['report.html'])
  await t.rejects(writeFileAtomically(join(directory, 'no', 'such.html'), 'x'), { code: 'FILE_UNWRITABLE' })
  await t.rejects(writeFileAtomically(directory, 'x'), { code: 'FILE_UNWRITABLE' })
  t.same(await readdir(directory), ['report.html'])
})

t.test('inserts are escaped unless they are markup already', async (t) => {
  t.equal(
    html`<p title="${'"<&>'}">${html`<b>${"it's"}</b>`}${undefined}${false}${[1, html`<i></i>`]}</p>`.text,
    `<p title="&quot;&lt;&amp;&gt;"><b>it&#39;s</b>1<i></i></p>`,
  )
})
