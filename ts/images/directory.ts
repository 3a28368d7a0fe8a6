import { readdir, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { JcsError, readError } from '../base/errors'
import { compareNames, listDirectory, readHead } from '../base/files'
import { type ImageFormat, sniff, sniffLength } from './sniff'

/** Names that promise an image, and which. */
const promisedFormats: Readonly<Record<string, ImageFormat>> = {
  '.png': 'PNG',
  '.jpg': 'JPEG',
  '.jpeg': 'JPEG',
  '.tif': 'TIFF',
  '.tiff': 'TIFF',
  '.dcm': 'DICOM',
  '.nii': 'NIfTI',
}

/** The format of a file: by its content, or else the one that its name promises. */
async function formatOfFile(path: string): Promise<ImageFormat | undefined> {
  return sniff(await readHead(path, sniffLength)) ?? promisedFormats[extname(path).toLowerCase()]
}

/**
 * The images among `files`, in the same order: what is one by its content, and what claims to be one by its name. The
 * latter is never passed over in silence but fails when it is decoded: a case that lacks a slice unnoticed would give a
 * wrong diagnosis.
 */
export async function selectImages(files: readonly string[]): Promise<string[]> {
  const images: string[] = []
  for (const file of files) if (await formatOfFile(file)) images.push(file)
  return images
}

/** What a directory holds: the files of scanners, wherever they lie in it, or else pictures. */
export type DirectoryCase =
  | { kind: 'dicom'; files: string[] /** Left out. */; others: string[] }
  | { kind: 'pictures'; files: string[] }

/**
 * The slices of a case. DICOM files are looked for in all subdirectories, whatever their names; where there are none,
 * the pictures of the directory itself are the case, in natural name order. Hidden files are skipped.
 */
export async function listCase(directory: string): Promise<DirectoryCase> {
  const { files, directories } = await listDirectory(directory)
  const formats = await Promise.all(files.map(formatOfFile))
  const pictures = files.filter((_, index) => formats[index] !== undefined)
  if (formats.includes('DICOM') || (pictures.length === 0 && directories.length > 0)) {
    const { dicom, others } = await findDicomFiles(directory)
    if (dicom.length > 0) return { kind: 'dicom', files: dicom, others }
  }
  if (formats.includes('NIfTI') && pictures.length > 1) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      `the directory '${directory}' holds ${pictures.length} volumes and pictures; give the one to take, such as '${basename(pictures[0]!)}'`,
    )
  }
  if (pictures.length > 0) return { kind: 'pictures', files: pictures }
  const hint =
    directories.length > 0
      ? `; give one of its ${directories.length} subdirectories, such as '${basename(directories[0]!)}'`
      : ''
  throw new JcsError('EMPTY_DATASET', `the directory '${directory}' holds no images${hint}`)
}

/** A DICOMDIR is an index of the others, and is not trusted to be complete. */
async function findDicomFiles(directory: string): Promise<{ dicom: string[]; others: string[] }> {
  const dicom: string[] = []
  const others: string[] = []
  for (const file of await walk(directory)) {
    if (basename(file).toUpperCase() === 'DICOMDIR') continue
    ;((await formatOfFile(file)) === 'DICOM' ? dicom : others).push(file)
  }
  return { dicom, others }
}

/** All files below a directory, hidden ones left out. Links to files are followed, links to directories are not. */
async function walk(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true })
    const files: string[] = []
    for (const entry of entries) {
      const path = join(entry.parentPath ?? entry.path, entry.name)
      const isHidden = path
        .slice(directory.length)
        .split('/')
        .some((part) => part.startsWith('.'))
      if (!isHidden && (entry.isFile() || (entry.isSymbolicLink() && (await isFile(path))))) files.push(path)
    }
    return files.sort(compareNames)
  } catch (error) {
    throw readError(error, directory)
  }
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  )
}
