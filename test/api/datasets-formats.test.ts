import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { decodeSamples, readDataset } from '../../ts/datasets'
import { brief, mask, slice, wideMask } from './dataset-files'
import { sharedData } from './shared-data'

t.test('list file: the authors’ format, names with spaces quoted or separated by a tab', async (t) => {
  const directory = t.testdir({
    im: { 'a.png': slice, 'b c.png': slice },
    'm.png': mask,
    'm 2.png': mask,
    'list.txt':
      '\ufeffim/a.png m.png\r\n\r\n"im/b c.png"   "m 2.png"\r\nim/b c.png\tm 2.png\n  "im/b c.png"\t"m.png"  ',
  })
  const expected = [
    { image: 'a.png', mask: 'm.png', origin: 'list.txt:1' },
    { image: 'b c.png', mask: 'm 2.png', origin: 'list.txt:3' },
    { image: 'b c.png', mask: 'm 2.png', origin: 'list.txt:4' },
    { image: 'b c.png', mask: 'm.png', origin: 'list.txt:5' },
  ]
  const list = join(directory, 'list.txt')
  t.same(await brief(list), expected)
  t.same(await brief(pathToFileURL(list)), expected)
  t.same(await brief({ path: list, format: 'list' }), expected)
  const { samples, warnings } = await readDataset(list)
  t.equal(samples[0]?.image, join(directory, 'im/a.png'), 'paths are relative to the list')
  t.match(warnings, [/^2 images are listed more than once, the first is .*b c\.png/])
})

t.test('list file: errors name the list, the line and the file', async (t) => {
  const directory = t.testdir({
    'a.png': slice,
    'm.png': mask,
    'wide.png': wideMask,
    'cut.png': slice.subarray(0, 20),
    'one.txt': 'a.png m.png\na.png\n',
    'four.txt': 'a b.png m c.png\n',
    'open.txt': '"a.png m.png\n',
    'missing.txt': 'a.png m.png\na.png gone.png\n',
    'sizes.txt': 'a.png wide.png\n',
    'damaged.txt': 'a.png m.png\n\ncut.png m.png\n',
    'many.txt': Array.from({ length: 12 }, (_, index) => `gone${index}.png m.png`).join('\n'),
  })
  const fails = (list: string, message: RegExp, cause?: string) =>
    t.rejects(
      readDataset(join(directory, list)),
      { name: 'JcsError', code: 'BAD_SAMPLE', message, ...(cause && { cause: { code: cause } }) },
      list,
    )
  await fails('one.txt', /^one\.txt:2: found one name where 'image mask' was expected/)
  await fails('four.txt', /^four\.txt:1: found 4 names .* quote names that contain spaces/)
  await fails('open.txt', /^open\.txt:1: a quoted name has no closing quote/)
  await fails('missing.txt', /^missing\.txt:2: '.*gone\.png' does not exist/, 'FILE_NOT_FOUND')
  await fails(
    'sizes.txt',
    /^sizes\.txt:1: the mask '.*wide\.png' has 5 x 3 pixels, its image '.*a\.png' 4 x 3/,
    'SHAPE_MISMATCH',
  )
  await fails('damaged.txt', /^damaged\.txt:3: '.*cut\.png' cannot be decoded/, 'CORRUPT_FILE')
  await fails(
    'many.txt',
    /^12 samples cannot be used:\n {2}many\.txt:1: .*\n(?:.|\n)*many\.txt:5: .*\n {2}and 7 more$/,
  )
})

t.test('CSV: columns in any order, optional ones, Excel’s semicolons, quoted names', async (t) => {
  const directory = t.testdir({
    'a.png': slice,
    'b, c.png': slice,
    'm.png': mask,
    'full.csv':
      '\ufeffLabel, image ,mask,patient,lung\r\n1,"b, c.png",m.png,P 1,m.png\r\n\r\n0,a.png,,P2,\r\n',
    'excel.csv': 'image;label\na.png;1\n',
    'masks.list': 'image,mask,comment\na.png,m.png,"two\nlines"\na.png,m.png,\n',
  })
  t.same(await brief(join(directory, 'full.csv')), [
    { image: 'b, c.png', label: 1, mask: 'm.png', lung: 'm.png', patient: 'P 1', origin: 'full.csv:2' },
    { image: 'a.png', label: 0, patient: 'P2', origin: 'full.csv:4' },
  ])
  t.same(await brief(join(directory, 'excel.csv')), [{ image: 'a.png', label: 1, origin: 'excel.csv:2' }])
  const { samples, warnings } = await readDataset(join(directory, 'masks.list'))
  t.equal(samples[1]?.origin, 'masks.list:4', 'lines count, not rows')
  t.match(warnings, [/columns not used: comment/, /listed more than once/])
})

t.test('CSV: folds', async (t) => {
  const directory = t.testdir({
    'a.png': slice,
    'b.png': slice,
    'c.png': slice,
    'm.png': mask,
    'folds.csv': 'image,mask,fold\na.png,m.png,1\nb.png,m.png,2\nc.png,m.png,3\n',
    'plain.csv': 'image,mask\na.png,m.png\n',
    'list.txt': 'a.png m.png\n',
  })
  const path = join(directory, 'folds.csv')
  const pick = async (folds: (number | string)[]) => (await brief({ path, folds })).map(({ image }) => image)
  t.same(await pick([1, 3]), ['a.png', 'c.png'])
  t.same(await pick(['2']), ['b.png'])
  await t.rejects(pick([2, 4]), {
    code: 'INVALID_ARGUMENT',
    message: /no fold 4; the file has the folds 1, 2, 3/,
  })
  await t.rejects(pick([]), { code: 'EMPTY_DATASET' })
  const other = (name: string) => readDataset({ path: join(directory, name), folds: [1] })
  await t.rejects(other('plain.csv'), { code: 'INVALID_ARGUMENT', message: /no column 'fold'/ })
  await t.rejects(other('list.txt'), { code: 'INVALID_ARGUMENT', message: /CSV files only/ })
})

t.test('CSV: errors', async (t) => {
  const directory = t.testdir({
    'a.png': slice,
    'labels.csv': 'image,label\na.png,1\na.png,2\na.png,yes\n,1\na.png,\na.png\n',
    'columns.csv': 'image,lable\na.png,1\n',
    'twice.csv': 'image,label,label\na.png,1,1\n',
    'quote.csv': 'image,label\n"a.png,1\n',
    'header.csv': 'image,label\n',
  })
  const read = (name: string) => readDataset(join(directory, name))
  await t.rejects(read('labels.csv'), {
    code: 'BAD_SAMPLE',
    message: [
      '5 samples cannot be used:',
      "  labels.csv:3: the label is '2'; it must be 0 or 1",
      "  labels.csv:4: the label is 'yes'; it must be 0 or 1",
      '  labels.csv:5: the column image is empty',
      '  labels.csv:6: neither a label nor a mask is given',
      '  labels.csv:7: has 1 fields, the header has 2',
    ].join('\n'),
  })
  await t.rejects(read('columns.csv'), {
    code: 'INVALID_ARGUMENT',
    message: /columns are image, lable; needed/,
  })
  await t.rejects(read('twice.csv'), { code: 'INVALID_ARGUMENT', message: /'label' is there twice/ })
  await t.rejects(read('quote.csv'), { code: 'CORRUPT_FILE', message: /quote\.csv/ })
  await t.rejects(read('header.csv'), { code: 'EMPTY_DATASET' })
})

t.test('one folder per class, with and without patients', async (t) => {
  const directory = t.testdir({
    CT_COVID: { 'b10.png': slice, 'b9.png': slice, p1: { '1.png': slice } },
    'CT_Non-COVID': { 'a.png': slice, 'notes.txt': 'x' },
  })
  t.same(await brief(directory), [
    { image: 'b9.png', label: 1, origin: 'CT_COVID/b9.png' },
    { image: 'b10.png', label: 1, origin: 'CT_COVID/b10.png' },
    { image: '1.png', label: 1, patient: 'p1', origin: 'CT_COVID/p1/1.png' },
    { image: 'a.png', label: 0, origin: 'CT_Non-COVID/a.png' },
  ])

  const odd = t.testdir({ odd: { grippe: { 'a.png': slice }, normal: { 'b.png': slice } } })
  const path = join(odd, 'odd')
  await t.rejects(readDataset(path), {
    code: 'INVALID_ARGUMENT',
    message: /'grippe', 'normal'.*Pass classes/,
  })
  const labels = (await brief({ path, classes: { grippe: 1 } })).map(({ image, label }) => [image, label])
  t.same(labels, [
    ['a.png', 1],
    ['b.png', 0],
  ])
})

t.test('folders of images and masks, flat and one level deeper', async (t) => {
  const directory = t.testdir({
    flat: {
      images: { '2.png': slice, '10.png': slice },
      Masks: { '2.png': mask, '10.tif': mask, '11.png': mask },
    },
    patients: {
      p2: { ct: { '1.png': slice }, lesion: { '1.png': mask }, lung: { '1.png': mask } },
      p1: { ct: { '1.png': slice }, lesion: { '1.png': mask } },
      readme: {},
    },
    lacking: { ct: { '1.png': slice, '2.png': slice }, lesion: { '1.png': mask } },
    sizes: { ct: { '1.png': slice }, lesion: { '1.png': mask }, lung: { '1.png': wideMask } },
    damaged: { ct: { '1.png': slice, '2.png': '' }, lesion: { '1.png': mask, '2.png': mask } },
  })
  t.same(await brief(join(directory, 'flat')), [
    { image: '2.png', mask: '2.png', origin: 'images/2.png' },
    { image: '10.png', mask: '10.tif', origin: 'images/10.png' },
  ])
  t.match((await readDataset(join(directory, 'flat'))).warnings, [/1 masks have no image.*Masks\/11\.png/])
  t.same(await brief(join(directory, 'patients')), [
    { image: '1.png', mask: '1.png', patient: 'p1', origin: 'p1/ct/1.png' },
    { image: '1.png', mask: '1.png', lung: '1.png', patient: 'p2', origin: 'p2/ct/1.png' },
  ])
  await t.rejects(readDataset(join(directory, 'lacking')), {
    code: 'BAD_SAMPLE',
    message: "ct/2.png: its mask 'lesion/2.png' does not exist",
  })
  await t.rejects(readDataset(join(directory, 'sizes')), {
    code: 'BAD_SAMPLE',
    message: /the lung '.*' has 5 x 3/,
  })
  const damaged = join(directory, 'damaged')
  await t.rejects(readDataset(damaged), { code: 'BAD_SAMPLE', message: /^ct\/2\.png: '.*' is empty/ })
  t.match(await readDataset(damaged, { onBadSample: 'skip' }), {
    samples: [{ origin: 'ct/1.png' }],
    skipped: [{ origin: 'ct/2.png', code: 'CORRUPT_FILE' }],
  })
  const asMasks = readDataset({ path: join(directory, 'patients/readme'), format: 'mask-folders' })
  await t.rejects(asMasks, { code: 'INVALID_ARGUMENT', message: /no pair of folders/ })
})

t.test('real data', { skip: sharedData.missing }, async (t) => {
  const path = sharedData.path('covid19-ct100/folds.csv')
  t.equal((await readDataset(path, { task: 'segmentation' })).samples.length, 99)
  const train = await readDataset({ path, folds: [1, 2, 3, 4] }, { task: 'segmentation' })
  const test = await readDataset({ path, folds: [5] }, { task: 'segmentation' })
  t.equal(train.samples.length + test.samples.length, 99)
  t.same(train.warnings, [])

  const authors = await readDataset(sharedData.path('covid19-ct100/authors-train.txt'))
  t.equal(authors.samples.length, 79)

  const covid = await readDataset(sharedData.path('covid-ct/train.csv'), { task: 'classification' })
  t.equal(covid.samples.length, 425)
  t.equal(covid.samples.filter(({ label }) => label === 1).length, 191)
  t.match(covid.samples[0], { label: 1, patient: 'C-Patient1', origin: 'train.csv:2' })

  const volumes = await readDataset(sharedData.path('coronacases'), { task: 'segmentation' })
  t.equal(volumes.samples.length, 622)
  t.equal(new Set(volumes.samples.map(({ patient }) => patient)).size, 12)
  t.ok(volumes.samples.every(({ lung }) => lung !== undefined))
  let lesionPixels = 0
  for await (const { mask } of decodeSamples(volumes.samples.slice(0, 20))) {
    lesionPixels += mask!.data.reduce((sum, value) => sum + value, 0)
  }
  t.ok(lesionPixels > 0)
})
