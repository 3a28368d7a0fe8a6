import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openCase } from '../../ts/index'
import { decodeImage } from './decoded-images'
import { largestDifference, readElsewhere } from './dicom-readers'
import { sharedData } from './shared-data'

const folder = sharedData.path('dicom/transfer-syntaxes')
const lossy = /\.4\.(50|51|53|55|81|91)\.dcm$|_jpeg_baseline\.51\.dcm$/
const refused: Record<string, { code: string; message: RegExp }> = {
  'US-YBR_FULL_422-EVRLE.dcm': {
    code: 'UNSUPPORTED_FORMAT',
    message: /an ultrasound image \(US\); CT is read/,
  },
  'no-pixel-spacing.dcm': { code: 'UNSUPPORTED_FORMAT', message: /an ultrasound image \(US\); CT is read/ },
  'no-pixel-data.dcm': { code: 'UNSUPPORTED_FORMAT', message: /holds no pixels: it is a structured report/ },
}

t.test(
  'every transfer syntax decodes to what GDCM decodes, or is refused with the reason',
  { skip: sharedData.missing },
  async (t) => {
    const names = readdirSync(folder).sort()
    const elsewhere = readElsewhere(
      names.map((name) => join(folder, name)),
      t.testdir(),
    )
    t.ok(names.length >= 22)
    for (const [index, name] of names.entries()) {
      const path = join(folder, name)
      if (refused[name]) {
        await t.rejects(decodeImage(path), refused[name], name)
        continue
      }
      const read = elsewhere[index]!
      using scan = openCase(path)
      for await (const slice of scan.indices(undefined)) {
        const image = await scan.image(slice)
        const frame = Number(/frame (\d+)$/.exec(image.source!)?.[1] ?? 1) - 1
        t.same([image.height, image.width], [read.rows, read.columns], name)
        t.ok(image.data instanceof Int16Array)
        const difference = largestDifference(image, read, frame)
        if (lossy.test(name)) t.ok(difference <= 1, `${image.source}: within a stored unit`)
        else t.equal(difference, 0, `${image.source}: exactly`)
      }
    }
  },
)

t.test(
  'whole cases: values, order and geometry are those of other readers',
  { skip: sharedData.missing },
  async (t) => {
    const root = sharedData.path('dicom/covid-ct-md')
    // Head first, as the dataset's own list has them.
    const listed = readFileSync(join(root, 'slices.csv'), 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.split(',')[0]!)
    for (const patient of ['covid-P002', 'normal-001']) {
      const files = readdirSync(join(root, patient)).map((name) => join(root, patient, name))
      const elsewhere = new Map(
        readElsewhere(files, t.testdir({})).map((read, index) => [files[index]!, read]),
      )
      using scan = openCase(join(root, patient))
      const differing: string[] = []
      for (let index = 0; index < files.length; index++) {
        const image = await scan.image(index)
        const read = elsewhere.get(join(root, patient, image.source!))!
        if (largestDifference(image, read) !== 0) differing.push(image.source!)
        t.same(image.positionMm, read.position)
        t.same(image.orientation, read.orientation)
        t.same(image.spacing, read.spacing)
      }
      t.same(differing, [], patient)
      t.same(
        scan.names.map((name) => `${patient}/${name}`),
        listed.filter((name) => name.startsWith(patient)),
      )
      const byHeight = [...elsewhere]
        .sort(([, a], [, b]) => b.position[2] - a.position[2])
        .map(([path]) => path)
      t.same(
        scan.names.map((name) => join(root, patient, name)),
        byHeight,
      )
      t.equal(scan.laterality, 'patient')
      t.same(scan.warnings, [])
      t.equal(scan.series!.spacingMm![2], 2)
    }
  },
)
