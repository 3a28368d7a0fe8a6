import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import t from 'tap'
import { decodeSamples } from '../../ts/datasets'
import {
  createModel,
  diagnose,
  evaluate,
  JcsError,
  openCase,
  type ProgressEvent,
  readDataset,
} from '../../ts/index'
import { decodeImage } from './decoded-images'
import { sharedData } from './shared-data'
import { classifierSpec, repositoryRoot, segmenterSpec } from './small'

/** What nibabel does: see test/readers/nifti_values.py. */
function nibabel(...args: string[]): string {
  const script = join(repositoryRoot, 'test/readers/nifti_values.py')
  return execFileSync('/usr/bin/python3', [script, ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
}

interface Read {
  shape: [number, number, number]
  /** Of column, row and slice to the patient's coordinates. */
  affine: number[][]
}

t.test('values, order and geometry are those that nibabel reads', async (t) => {
  const root = t.testdir({ files: {}, out: {} })
  const directory = join(root, 'files')
  const names = JSON.parse(nibabel('write', directory)) as string[]
  const real = sharedData.missing ? [] : [sharedData.path('nifti/chest_cropped.nii.gz')]
  const paths = [...names.map((name) => join(directory, name)), ...real]
  const out = join(root, 'out')
  const elsewhere = JSON.parse(nibabel('read', out, ...paths)) as Read[]
  t.ok(names.length > 100)
  for (const [index, path] of paths.entries()) {
    const { shape, affine } = elsewhere[index]!
    const [width, height, slices] = shape
    const { buffer } = new Uint8Array(readFileSync(join(out, `${index}.raw`)))
    const expected = new Float32Array(buffer)
    using scan = openCase(path)
    let differing = 0
    let seen = 0
    for await (const slice of scan.indices(undefined)) {
      seen++
      const image = await scan.image(slice)
      if (image.width !== width || image.height !== height) differing++
      const offset = slice * width * height
      image.data.forEach((value, pixel) => {
        if (value !== Math.round(expected[offset + pixel]!)) differing++
      })
      const column = (i: number) => affine.slice(0, 3).map((row) => row[i]!)
      const position = column(3).map((value, axis) => value + slice * column(2)[axis]!)
      const unit = (vector: number[]) => vector.map((value) => value / Math.hypot(...vector))
      const near = (a: readonly number[], b: readonly number[]) =>
        a.every((value, i) => Math.abs(value - b[i]!) < 1e-3)
      if (!near(image.positionMm!, position)) differing++
      if (!near(image.orientation!, [...unit(column(0)), ...unit(column(1))])) differing++
      if (!near(image.spacing!, [Math.hypot(...column(1)), Math.hypot(...column(0))])) differing++
    }
    t.same([seen, differing], [slices, 0], path.slice(-40))
    t.equal(scan.laterality, 'patient')
  }
})

t.test('what the file does not say is told', async (t) => {
  const directory = t.testdir()
  nibabel('write', directory)
  const plain = Buffer.from(readFileSync(join(directory, 'qform-RAS.nii')))
  plain.writeInt16LE(0, 252) // neither qform nor sform
  using scan = openCase(plain)
  t.equal((await scan.image(0)).orientation, undefined)
  t.equal(scan.laterality, 'image')
  t.match(scan.warnings, [/does not say how it lies in the patient/])
  t.same(scan.series!.spacingMm, [0.75, 0.5, 2])

  const numbers = new Float32Array(7 * 6 * 5).fill(-3.4)
  numbers.set([NaN, 1e6, -1e6, 0.5], 0)
  const floats = gunzipSync(readFileSync(join(directory, 'type-float32.nii.gz')))
  floats.set(new Uint8Array(numbers.buffer), floats.length - numbers.byteLength)
  using rounded = openCase(floats)
  for await (const _ of rounded.indices(undefined));
  t.match(rounded.warnings.join('\n'), /rounded.*\n.*2 voxels exceed 16 bits.*\n.*1 voxels are no numbers/)
})

t.test('a volume is a case, its lesions have sides and areas', async (t) => {
  await using classifier = await createModel(classifierSpec)
  await using segmenter = await createModel(segmenterSpec)
  const directory = t.testdir()
  nibabel('write', directory)
  const path = join(directory, 'sform-RAS.nii.gz')
  const settings = { sliceThreshold: 0, classificationThreshold: 0 }
  const diagnosis = await diagnose({ classifier, segmenter }, path, settings)
  t.match(diagnosis, {
    totalSlices: 5,
    laterality: 'patient',
    series: { uid: '', modality: 'unknown', slices: 5, spacingMm: [0.75, 0.5, 2] },
  })
  t.same(
    diagnosis.slices.map(({ positionMm }) => positionMm),
    [108, 106, 104, 102, 100],
  )
  t.ok(diagnosis.slices.every(({ segmentation }) => segmentation!.areaMm2 !== undefined))
  await t.rejects(openCase(directory).image(0), { code: 'INVALID_ARGUMENT', message: /give the one to take/ })
})

t.test('in a dataset, a volume with a mask is as many samples as it has slices', async (t) => {
  const root = t.testdir({ files: {} })
  const directory = join(root, 'files')
  nibabel('write', directory)
  // Another order of axes in the file, the same place in the patient.
  const mask = join(directory, 'qform-SLP.nii')
  writeFileSync(join(root, 'data.csv'), `image,mask,patient\nfiles/sform-RAS.nii.gz,${mask},a\n`)
  await using model = await createModel(segmenterSpec)
  const events: ProgressEvent[] = []
  const onProgress = (event: ProgressEvent) => events.push(event)
  const scores = await evaluate(model, join(root, 'data.csv'), { onProgress })
  t.match(scores, { task: 'segmentation', samples: 5, images: 5 })
  t.match(events.filter(({ phase }) => phase === 'decode').at(-1), { done: 5, total: 5 })

  const { samples } = await readDataset(join(root, 'data.csv'))
  for await (const { image, mask } of decodeSamples(samples)) {
    // Every voxel but that of 0 HU is in the mask, which is the same volume.
    t.same(
      [...mask!.data],
      [...image.data].map((value) => Number(value !== 0)),
    )
  }
  writeFileSync(
    join(root, 'data.csv'),
    `image,mask\nfiles/sform-RAS.nii.gz,${sharedData.missing ? 'none' : sharedData.path('nifti/chest_cropped.nii.gz')}\n`,
  )
  await t.rejects(readDataset(join(root, 'data.csv')), { code: 'BAD_SAMPLE' })
})

t.test('what cannot be a case is refused with the reason', async (t) => {
  const directory = t.testdir()
  nibabel('write', directory)
  const original = readFileSync(join(directory, 'qform-RAS.nii'))
  const change = (edit: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(original)
    edit(bytes)
    return bytes
  }
  const refused: Record<string, [Buffer, string, RegExp]> = {
    'several volumes': [
      change((bytes) => {
        bytes.writeInt16LE(4, 40)
        bytes.writeInt16LE(3, 48)
      }),
      'UNSUPPORTED_FORMAT',
      /several volumes/,
    ],
    colours: [change((bytes) => bytes.writeInt16LE(128, 70)), 'UNSUPPORTED_FORMAT', /type 128/],
    'half a pair': [change((bytes) => bytes.write('ni1\0', 344)), 'UNSUPPORTED_FORMAT', /\.hdr and \.img/],
    'absurd sizes': [
      change((bytes) => {
        for (const at of [42, 44, 46]) bytes.writeInt16LE(32767, at)
      }),
      'INPUT_TOO_LARGE',
      /32767 x 32767/,
    ],
    'a negative size': [change((bytes) => bytes.writeInt16LE(-5, 44)), 'CORRUPT_FILE', /claims/],
    'cut short': [original.subarray(0, original.length - 10), 'CORRUPT_FILE', /ends after/],
    'cut within its header': [original.subarray(0, 400), 'CORRUPT_FILE', /header/],
    'a gzip bomb': [
      gzipSync(Buffer.concat([original, Buffer.alloc(2 ** 26)])),
      'INPUT_TOO_LARGE',
      /inflates/,
    ],
    'half a gzip': [gzipSync(original).subarray(0, 200), 'CORRUPT_FILE', /./],
  }
  for (const [name, [bytes, code, message]] of Object.entries(refused)) {
    await t.rejects(openCase(bytes).image(0), { code, message }, name)
  }
})

t.test('files cut anywhere, or with bytes changed, decode or are errors', async (t) => {
  const directory = t.testdir()
  nibabel('write', directory)
  const codes = new Set<string>()
  let state = 7
  const next = () => (state = (state * 48271) % 2147483647)
  for (const name of readdirSync(directory).slice(0, 20)) {
    const original = readFileSync(join(directory, name))
    for (let round = 0; round < 6; round++) {
      const bytes = Buffer.from(original.subarray(0, round === 0 ? next() % original.length : undefined))
      for (let i = 0; i < 2 && round > 0; i++) bytes[next() % Math.min(bytes.length, 360)] = next() % 256
      const path = join(directory, 'changed.nii')
      writeFileSync(path, bytes)
      try {
        using scan = openCase(path)
        for await (const _ of scan.indices(undefined));
        codes.add('decoded')
      } catch (error) {
        codes.add(error instanceof JcsError ? error.code : String(error))
      }
    }
  }
  const expected = ['decoded', 'CORRUPT_FILE', 'INPUT_TOO_LARGE', 'UNSUPPORTED_FORMAT', 'INVALID_ARGUMENT']
  t.same(
    [...codes].filter((code) => !expected.includes(code)),
    [],
  )
  t.ok(codes.has('decoded') && codes.has('CORRUPT_FILE'))
  await t.rejects(decodeImage(join(directory, readdirSync(directory)[0]!)), { code: 'INVALID_ARGUMENT' })
})
