import { basename, extname, join, relative } from 'node:path'
import { JcsError } from '../base/errors'
import { listDirectory } from '../base/files'
import { selectImages } from '../images'
import { badSample } from './bad-samples'
import type { ParsedDataset } from './types'

const imageFolders = ['ct', 'images']
const maskFolders = ['lesion', 'masks']
const lungFolder = 'lung'

interface Folders {
  images: string
  masks: string
  lungs?: string | undefined
}

/** The folders of images and masks in a directory, or undefined when it is not laid out so. */
function findFolders(directories: readonly string[]): Folders | undefined {
  const find = (names: string[]) =>
    names
      .map((name) => directories.find((directory) => basename(directory).toLowerCase() === name))
      .find((directory) => directory !== undefined)
  const images = find(imageFolders)
  const masks = find(maskFolders)
  return images && masks ? { images, masks, lungs: find([lungFolder]) } : undefined
}

/** Each patient's folders; the patient is undefined when the directory itself holds the images and masks. */
async function findPatients(directory: string): Promise<{ patient?: string; folders: Folders }[]> {
  const { directories } = await listDirectory(directory)
  const folders = findFolders(directories)
  if (folders) return [{ folders }]
  const patients: { patient: string; folders: Folders }[] = []
  for (const child of directories) {
    const childFolders = findFolders((await listDirectory(child)).directories)
    if (childFolders) patients.push({ patient: basename(child), folders: childFolders })
  }
  return patients
}

export async function hasMaskFolders(directory: string): Promise<boolean> {
  return (await findPatients(directory)).length > 0
}

/** `ct/` or `images/` with `lesion/` or `masks/` and perhaps `lung/`, here or in one folder per patient. */
export async function readMaskFolders(directory: string): Promise<ParsedDataset> {
  const patients = await findPatients(directory)
  if (patients.length === 0) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      `'${directory}' has no pair of folders ct/ (or images/) and lesion/ (or masks/), nor has any folder in it`,
    )
  }
  const parsed: ParsedDataset = { samples: [], warnings: [], bad: [] }
  for (const { patient, folders } of patients) {
    const images = await listImages(folders.images)
    const masks = new CompanionFiles(await listImages(folders.masks))
    const lungs = new CompanionFiles(folders.lungs ? await listImages(folders.lungs) : [])
    for (const image of images) {
      const origin = relative(directory, image)
      const mask = masks.take(image)
      if (!mask) {
        const expected = relative(directory, join(folders.masks, basename(image)))
        parsed.bad.push(badSample(origin, `its mask '${expected}' does not exist`, 'FILE_NOT_FOUND'))
        continue
      }
      const lung = lungs.take(image)
      parsed.samples.push({ image, mask, ...(lung && { lung }), ...(patient && { patient }), origin })
    }
    for (const unused of [masks.untaken(), lungs.untaken()]) {
      if (unused.length === 0) continue
      const first = relative(directory, unused[0]!)
      parsed.warnings.push(`${unused.length} masks have no image of the same name, the first is '${first}'.`)
    }
  }
  return parsed
}

async function listImages(directory: string): Promise<string[]> {
  return selectImages((await listDirectory(directory)).files)
}

/** The files of a folder by name: the same full name first, else the same name with another extension. */
class CompanionFiles {
  readonly #byName: Map<string, string>
  readonly #byStem: Map<string, string>
  readonly #untaken: Set<string>

  constructor(files: readonly string[]) {
    this.#byName = new Map(files.map((file) => [basename(file), file]))
    this.#byStem = new Map(files.map((file) => [basename(file, extname(file)), file]))
    this.#untaken = new Set(files)
  }

  take(image: string): string | undefined {
    const file = this.#byName.get(basename(image)) ?? this.#byStem.get(basename(image, extname(image)))
    if (file !== undefined) this.#untaken.delete(file)
    return file
  }

  untaken(): string[] {
    return [...this.#untaken]
  }
}
