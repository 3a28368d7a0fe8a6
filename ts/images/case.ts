import { basename, extname } from 'node:path'
import { JcsError } from '../errors'
import { listDirectory, readHead } from '../files'
import { sniff, sniffLength } from './sniff'

/** Names that promise an image: such a file is never passed over in silence, whatever it holds. */
const imageExtensions = new Set(['.png', '.jpg', '.jpeg', '.tif', '.tiff', '.dcm', '.nii'])

/**
 * The images among `files`, by content, in the same order. A file that is no image is passed over, but one that is
 * called an image stops: a case that silently lacks a slice would give a wrong diagnosis.
 */
export async function selectImages(files: readonly string[]): Promise<string[]> {
  const images: string[] = []
  for (const file of files) {
    const isImage = sniff(await readHead(file, sniffLength)) !== undefined
    if (isImage) {
      images.push(file)
    } else if (imageExtensions.has(extname(file).toLowerCase())) {
      throw new JcsError('CORRUPT_FILE', `'${file}' is called an image and its content is none that is known`)
    }
  }
  return images
}

/** The slices of a case: the images in a directory, in natural name order. Hidden files and other files are skipped. */
export async function listCase(directory: string): Promise<string[]> {
  const { files, directories } = await listDirectory(directory)
  const images = await selectImages(files)
  if (images.length > 0) return images
  const hint =
    directories.length > 0
      ? `; give one of its ${directories.length} subdirectories, such as '${basename(directories[0]!)}'`
      : ''
  throw new JcsError('EMPTY_DATASET', `the directory '${directory}' holds no images${hint}`)
}
