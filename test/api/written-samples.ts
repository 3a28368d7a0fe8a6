import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import type { Pixels, Sample } from '../../ts/index'

/** A CSV of samples whose images lie beside it as PNG; `cells` gives what else a row says. */
export async function writeSamples(
  directory: string,
  columns: string,
  samples: readonly Sample[],
  cells: (sample: Sample, index: number) => string,
): Promise<string> {
  const rows: string[] = []
  for (const [index, sample] of samples.entries()) {
    const { data, width, height } = sample.image as Pixels
    await sharp(data as Uint8Array, { raw: { width, height, channels: 1 } })
      .png()
      .toFile(join(directory, `${index}.png`))
    rows.push(`${index}.png,${cells(sample, index)}`)
  }
  const file = join(directory, 'data.csv')
  writeFileSync(file, `image,${columns}\n${rows.join('\n')}\n`)
  return file
}
