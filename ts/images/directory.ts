import { basename, extname } from 'node:path'
import { JcsError } from '../base/errors'
import { listDirectory, readHead } from '../base/files'
import { sniff, sniffLength } from './sniff'

/** Names that promise an image. */
const imageExtensions = new Set(['.png', '.jpg', '.jpeg', '.tif', '.tiff', '.dcm', '.nii'])

/**
 * The images among `files`, in the same order: what is one by its content, and what claims to be one by its name. The
 * latter is never passed over in silence but fails when it is decoded: a case that lacks a slice unnoticed would give a
 * wrong diagnosis.
 */
export async function selectImages(files: readonly string[]): Promise<string[]> {
  const images: string[] = []
  for (const file of files) {
    const claimsToBeImage = imageExtensions.has(extname(file).toLowerCase())
    if (claimsToBeImage || sniff(await readHead(file, sniffLength)) !== undefined) images.push(file)
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
