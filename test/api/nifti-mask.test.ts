import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Case, createModel, type Diagnosis, type Images, niftiMask, openCase } from '../../ts'
import { columns, element, filesOf, rows, stack, writeFiles } from './dicom-files'
import { lungs, networks, scan, upper } from './lung-scan'
import { sharedData } from './shared-data'
import { classifierSpec, repositoryRoot, smallSlices } from './small'

/** What nibabel and pydicom say of masks: see test/readers/nifti_values.py. */
function readers(...args: string[]) {
  const script = join(repositoryRoot, 'test/readers/nifti_values.py')
  const text = execFileSync('/usr/bin/python3', [script, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return JSON.parse(text)
}

/** A diagnosis that outlines what is above `hu`. */
async function outline(opened: Case, hu: number): Promise<Diagnosis> {
  const slices = []
  for await (const index of opened.indices(undefined)) {
    const { data } = await opened.image(index)
    slices.push({ segmentation: { mask: Uint8Array.from(data, (value) => (value > hu ? 1 : 0)) } })
  }
  return { slices } as unknown as Diagnosis
}

async function writeMask(images: Images, hu: number, path: string): Promise<void> {
  using opened = openCase(images)
  writeFileSync(path, await niftiMask(await outline(opened, hu), opened))
}

interface Found {
  voxels: number
  millimetres: number
  dtype: string
}
const agrees = (t: Test, { voxels, millimetres, dtype }: Found, what: string) => {
  t.equal(voxels, 0, `${what}: voxels`)
  t.ok(millimetres < 1e-3, `${what}: ${millimetres} mm apart`)
  t.equal(dtype, 'uint8')
}

t.test('the mask of a NIfTI file has its voxels and its place, whatever its orientation', async (t) => {
  const root = t.testdir({ files: {}, masks: {} })
  const names: string[] = readers('write', join(root, 'files'))
  const real = sharedData.missing ? [] : [sharedData.path('nifti/chest_cropped.nii.gz')]
  // nibabel leaves units to its caller, and tells those of metres as millimetres.
  const paths = [
    ...names.filter((name) => !name.startsWith('meters')).map((name) => join(root, 'files', name)),
    ...real,
  ]
  const hu = -750
  const pairs: string[] = []
  for (const [index, path] of paths.entries()) {
    pairs.push(path, join(root, 'masks', `${index}.nii.gz`))
    await writeMask(path, hu, pairs.at(-1)!)
  }
  const found: Found[] = readers('masks', `${hu}`, ...pairs)
  t.ok(found.length > 100)
  for (const [index, one] of found.entries()) agrees(t, one, paths[index]!.slice(-40))
})

/** A value that differs from pixel to pixel and from slice to slice. */
const pixels = (number: number) => {
  const stored = Uint16Array.from({ length: rows * columns }, (_, i) => 100 + ((37 * i + 101 * number) % 900))
  return element('7FE00010', 'OW', new Uint8Array(stored.buffer))
}
const [cos, sin] = [Math.cos(0.3), Math.sin(0.3)]
const tilted = [1, 0, 0, 0, cos, -sin]

t.test('the mask of a series lies where pydicom finds its slices', async (t) => {
  const root = t.testdir()
  const series = {
    plain: stack(5, (number) => ({ change: [pixels(number)] })),
    'negated cosines': stack(5, (number) => ({
      orientation: [-1, 0, 0, 0, -1, 0],
      change: [pixels(number)],
    })),
    oblique: stack(5, (number) => ({
      orientation: tilted,
      position: [-10.5, -20 + 2 * number * sin, 2 * number * cos] as const,
      change: [pixels(number)],
    })),
    'gantry tilt': stack(5, (number) => ({ orientation: tilted, change: [pixels(number)] })),
    'one slice': stack(1, (number) => ({ change: [pixels(number)] })),
  }
  for (const [name, slices] of Object.entries(series)) {
    const directory = writeFiles(join(root, name), filesOf(slices))
    const mask = join(root, `${name}.nii.gz`)
    await writeMask(directory, -500, mask)
    const found = readers('dicom-mask', '-500', directory, mask)
    agrees(t, found, name)
    t.equal(found.slices, slices.length)
  }
})

t.test('a real series', { skip: sharedData.missing }, async (t) => {
  const mask = join(t.testdir(), 'mask.nii.gz')
  const directory = sharedData.path('dicom/covid-ct-md/normal-001')
  await writeMask(directory, -300, mask)
  agrees(t, readers('dicom-mask', '-300', directory, mask), 'normal-001')
})

t.test(
  'what has no place says how far its voxels are apart; what cannot be a volume is refused',
  async (t) => {
    const root = t.testdir({ uneven: {} })
    using pictures = openCase(smallSlices(3))
    t.ok((await niftiMask(await outline(pictures, 100), pictures)).length > 0)

    const refused = async (images: Images, code: string, message: RegExp) => {
      using opened = openCase(images, { onGap: 'warn' })
      await t.rejects(niftiMask(await outline(opened, 0), opened), { code, message })
    }
    writeFiles(join(root, 'uneven'), filesOf(stack(8).toSpliced(4, 1)))
    await refused(join(root, 'uneven'), 'INCOMPLETE_SERIES', /evenly/)
    const small = { data: new Uint8Array(32 * 32), width: 32, height: 32 }
    await refused([...smallSlices(2), small], 'INCOMPLETE_SERIES', /one size/)
    const shifted = stack(5, (number) => (number === 2 ? { position: [-9, -20, 4] } : {}))
    writeFiles(join(root, 'shifted'), filesOf(shifted))
    await refused(join(root, 'shifted'), 'INCOMPLETE_SERIES', /in a line/)

    const { slices } = await outline(pictures, 100)
    const fewer = { slices: slices.slice(1) } as Diagnosis
    await t.rejects(niftiMask(fewer, pictures), { code: 'INVALID_ARGUMENT', message: /were diagnosed/ })
    await t.rejects(niftiMask(fewer, pictures, 'lung' as 'lungs'), {
      code: 'INVALID_ARGUMENT',
      message: /'lesions', 'lungs', got 'lung'/,
    })
    const empty = { slices: [{}, {}, {}] } as unknown as Diagnosis
    await t.rejects(niftiMask(empty, pictures), { code: 'INVALID_ARGUMENT', message: /negative/ })
    await t.rejects(niftiMask(empty, pictures, 'lungs'), {
      code: 'INVALID_ARGUMENT',
      message: /without a lung model/,
    })
  },
)

t.test('the command writes both masks', async (t) => {
  const directory = t.testdir({ case: {}, out: {} })
  const made = await networks(directory)
  const files = { lungs: join(directory, 'lungs.safetensors'), segmenter: join(directory, 'seg.safetensors') }
  await made.lungs.save(files.lungs)
  await made.segmenter.save(files.segmenter)
  await Promise.all([made.lungs.dispose(), made.segmenter.dispose()])
  writeFiles(join(directory, 'case'), filesOf(scan([...lungs, upper])))
  const command = [join(repositoryRoot, 'dist/cli/main.js'), 'diagnose', join(directory, 'case')]
  const run = (...more: string[]) =>
    execFileSync(
      process.execPath,
      [
        ...command,
        '-s',
        files.segmenter,
        '--lungs',
        files.lungs,
        '--slice-threshold',
        '7',
        '--nifti',
        ...more,
      ],
      { stdio: 'pipe' },
    )
  run('--out', join(directory, 'out'))
  // The segmenter's network outlines what is above −700 HU.
  const lesions = readers(
    'dicom-mask',
    '-700',
    join(directory, 'case'),
    join(directory, 'out/lesions.nii.gz'),
  )
  agrees(t, lesions, 'lesions')
  t.ok(existsSync(join(directory, 'out/lungs.nii.gz')))
  t.throws(() => run(), /--nifti needs --out/)

  await using classifier = await createModel(classifierSpec)
  const classifierFile = join(directory, 'classifier.safetensors')
  await classifier.save(classifierFile)
  const negative = ['-s', files.segmenter, '-c', classifierFile, '--no-lungs', '--slice-threshold', '30']
  const out = join(directory, 'negative')
  const { status, stderr } = spawnSync(process.execPath, [...command, ...negative, '--nifti', '--out', out])
  t.equal(status, 0)
  t.match(`${stderr}`, /No mask was written/)
  t.notOk(existsSync(join(out, 'lesions.nii.gz')))
})
