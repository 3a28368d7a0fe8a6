import { basename, relative } from 'node:path'
import { JcsError } from '../base/errors'
import { listDirectory } from '../base/files'
import { selectImages } from '../images'
import type { DatasetDescription, DatasetSample, Label, ParsedDataset } from './types'

/** Folder names that speak for themselves, lower case, without 'ct' in front and without punctuation. */
const knownNames: Readonly<Record<string, Label>> = {
  0: 0,
  negative: 0,
  uninfected: 0,
  normal: 0,
  healthy: 0,
  noncovid: 0,
  noncovid19: 0,
  nocovid: 0,
  1: 1,
  positive: 1,
  infected: 1,
  covid: 1,
  covid19: 1,
}

/** One folder per class, in it images or one folder per patient. */
export async function readClassFolders(
  directory: string,
  { classes = {} }: Pick<DatasetDescription, 'classes'>,
): Promise<ParsedDataset> {
  const { directories } = await listDirectory(directory)
  if (directories.length === 0) {
    throw new JcsError(
      'EMPTY_DATASET',
      `'${directory}' holds no folders; expected one per class, or ct/ and lesion/, or pass a list or CSV file`,
    )
  }
  const samples: DatasetSample[] = []
  for (const classDirectory of directories) {
    const label = labelOf(basename(classDirectory), classes)
    if (label === undefined) {
      const names = directories.map((path) => `'${basename(path)}'`).join(', ')
      throw new JcsError(
        'INVALID_ARGUMENT',
        `'${directory}' has the folders ${names}; which of them are infected cannot be told from '${basename(classDirectory)}'. ` +
          `Pass classes, for example { '${basename(classDirectory)}': 1 }`,
      )
    }
    const content = await listDirectory(classDirectory)
    for (const image of await selectImages(content.files)) {
      samples.push({ image, label, origin: relative(directory, image) })
    }
    for (const patientDirectory of content.directories) {
      const patient = basename(patientDirectory)
      for (const image of await selectImages((await listDirectory(patientDirectory)).files)) {
        samples.push({ image, label, patient, origin: relative(directory, image) })
      }
    }
  }
  return { samples, warnings: [], bad: [] }
}

function labelOf(folder: string, classes: Readonly<Record<string, Label>>): Label | undefined {
  if (Object.hasOwn(classes, folder)) return classes[folder]
  const name = folder
    .toLowerCase()
    .replace(/^ct(?=[-_ ])/, '')
    .replace(/[^a-z0-9]/g, '')
  return Object.hasOwn(knownNames, name) ? knownNames[name] : undefined
}
