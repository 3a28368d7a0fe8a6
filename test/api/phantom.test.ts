import { createHash } from 'node:crypto'
import t from 'tap'
import { generateCase, generateDataset, type PhantomSample, type PhantomSlice } from '../../ts/phantom'

const sha256 = (slices: PhantomSlice[]) => {
  const hash = createHash('sha256')
  for (const slice of slices) hash.update(slice.pixels.data).update(slice.lesionMask).update(slice.lungMask)
  return hash.digest('hex')
}

const count = (mask: Uint8Array) => mask.reduce((sum, value) => sum + value, 0)

t.test('a case is the same bytes for the same seed, and other bytes for another', async (t) => {
  const options = { infected: true, slices: 3, size: 64 }
  const first = sha256(generateCase(11, options).slices)
  t.equal(sha256(generateCase(11, options).slices), first)
  t.not(sha256(generateCase(12, options).slices), first)
  t.not(sha256(generateCase(11 + 2 ** 32, options).slices), first, 'all bits of the seed count')
})

t.test('the infected and the uninfected case of a seed differ by the opacities only', async (t) => {
  const options = { slices: 12, size: 96 }
  for (const seed of [21, 22, 23]) {
    const infected = generateCase(seed, { ...options, infected: true }).slices
    const uninfected = generateCase(seed, { ...options, infected: false }).slices
    t.notOk(uninfected.some((slice) => slice.infected || count(slice.lesionMask) > 0))
    const positive = infected.filter((slice) => slice.infected).length
    t.ok(positive > 2 && positive < infected.length, `seed ${seed}: ${positive} of 12 slices are infected`)
    for (const [i, slice] of infected.entries()) {
      const healthy = uninfected[i]!
      t.strictSame(slice.lungMask, healthy.lungMask)
      if (!slice.infected) t.strictSame(slice.pixels.data, healthy.pixels.data)
      else t.ok(contrast(slice, healthy) > 12, 'opacities stand out from what they replace')
    }
  }
})

/** How much brighter the pixels of the lesion mask are than without the lesion, gray levels. */
function contrast(slice: PhantomSlice, healthy: PhantomSlice): number {
  let sum = 0
  slice.lesionMask.forEach((inside, i) => {
    if (inside) sum += slice.pixels.data[i]! - healthy.pixels.data[i]!
  })
  return sum / count(slice.lesionMask)
}

t.test(
  'masks are exact: opacities lie in the lungs, are labelled, and keep their share at any size',
  async (t) => {
    for (const size of [64, 150, 256]) {
      const { slices } = generateCase(31, { infected: true, slices: 5, size })
      for (const { pixels, lesionMask, lungMask, infected } of slices) {
        t.match(pixels, { width: size, height: size, channels: 1 })
        t.equal(pixels.data.length, size * size)
        t.equal(infected, count(lesionMask) > 0)
        t.notOk(lesionMask.some((inside, i) => inside > lungMask[i]!))
        const lungShare = count(lungMask) / (size * size)
        t.ok(lungShare > 0.03 && lungShare < 0.45, `lungs cover ${lungShare}`)
      }
      const shares = slices.map(({ lesionMask }) => count(lesionMask) / (size * size))
      const reference = generateCase(31, { infected: true, slices: 5, size: 128 }).slices
      for (const [i, share] of shares.entries()) {
        t.ok(
          Math.abs(share - count(reference[i]!.lesionMask) / 128 ** 2) < 0.004,
          `slice ${i} at ${size}: ${share}`,
        )
      }
      const widthMm = slices[0]!.pixels.spacing[1] * size
      t.ok(widthMm > 250 && widthMm < 500, `a field of view of ${widthMm} mm`)
    }
  },
)

t.test(
  'a dataset is balanced, its lesions cover 0.6 to 15 % of the image, patients keep their slices',
  async (t) => {
    const samples = generateDataset(41, { cases: 40, slicesPerCase: 3, size: 64 })
    t.equal(samples.length, 120)
    t.equal(new Set(samples.map(({ patient }) => patient)).size, 40)
    const positive = samples.filter(({ label }) => label === 1)
    t.ok(positive.length > 45 && positive.length < 75, `${positive.length} of 120 are infected`)
    for (const { image, mask, lung, label } of samples) {
      t.notOk(mask.data.some((value, i) => value > lung.data[i]!))
      const share = mask.data.filter((value) => value > 0).length / image.data.length
      t.equal(label, share > 0 ? 1 : 0)
      if (label) t.ok(share >= 0.006 && share < 0.15, `a lesion share of ${share}`)
    }
  },
)

for (const seed of [1, 2, 3]) {
  t.test(`confounders hold a classifier by mean intensity to 65 %, seed ${seed}`, async (t) => {
    const samples = balanced(generateDataset(seed, { cases: 600, slicesPerCase: 1, size: 64 }))
    const middle = samples.length / 2
    for (const [name, mean] of [
      ['of the slice', (sample: PhantomSample) => meanOf(sample, () => 1)],
      ['of the lungs, known exactly', (sample: PhantomSample) => meanOf(sample, (i) => sample.lung.data[i]!)],
    ] as const) {
      const scored = samples.map((sample) => ({ score: mean(sample), infected: sample.label === 1 }))
      const accuracy = thresholdAccuracy(scored.slice(0, middle), scored.slice(middle))
      t.comment(`mean ${name}: ${(100 * accuracy).toFixed(1)} % on ${samples.length - middle} slices`)
      t.ok(accuracy <= 0.65, `mean ${name}: ${accuracy}`)
    }
  })
}

/** Alternating infected and uninfected, equally many, so that accuracy has chance level a half. */
function balanced(samples: PhantomSample[]): PhantomSample[] {
  const infected = samples.filter(({ label }) => label === 1)
  const uninfected = samples.filter(({ label }) => label === 0)
  const pairs = Math.floor(Math.min(infected.length, uninfected.length) / 2) * 2
  return Array.from({ length: 2 * pairs }, (_, i) => (i % 2 ? infected : uninfected)[i >> 1]!)
}

function meanOf({ image }: PhantomSample, weight: (index: number) => number): number {
  let sum = 0
  let total = 0
  image.data.forEach((value, i) => {
    sum += weight(i) * value
    total += weight(i)
  })
  return sum / total
}

interface Scored {
  score: number
  infected: boolean
}

/** The accuracy on `test` of the threshold and direction that do best on `train`. */
function thresholdAccuracy(train: Scored[], test: Scored[]): number {
  const accuracyOf = (set: Scored[], threshold: number, sign: number) =>
    set.filter(({ score, infected }) => sign * (score - threshold) > 0 === infected).length / set.length
  const candidates = train.flatMap(({ score }) => [
    { threshold: score, sign: 1 },
    { threshold: score, sign: -1 },
  ])
  const best = candidates.reduce((a, b) =>
    accuracyOf(train, b.threshold, b.sign) > accuracyOf(train, a.threshold, a.sign) ? b : a,
  )
  return accuracyOf(test, best.threshold, best.sign)
}

t.test('unusable seeds, sizes and counts are typed errors that say the range', async (t) => {
  const invalid = (range: RegExp) => ({ code: 'INVALID_ARGUMENT', message: range })
  t.throws(() => generateCase(-1, { infected: true }), invalid(/seed .* is -1.*from 0/))
  t.throws(() => generateCase(1.5, { infected: true }), invalid(/seed/))
  t.throws(() => generateCase(1, { infected: true, size: 63 }), invalid(/size .* is 63.*from 64 to 512/))
  t.throws(() => generateCase(1, { infected: true, size: 513 }), invalid(/size/))
  t.throws(() => generateCase(1, { infected: true, slices: 0 }), invalid(/slices .* is 0.*from 1 to 400/))
  t.throws(() => generateCase(1, { infected: true, slices: Number.NaN }), invalid(/slices/))
  t.throws(() => generateDataset(1, { cases: 0 }), invalid(/cases/))
  t.throws(() => generateDataset(1, { cases: 1, infectedShare: 1.1 }), invalid(/infectedShare .* is 1.1/))
})
