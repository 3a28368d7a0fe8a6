import { readdir, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { runAhead } from '../base/ahead'
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

/** Heads that are read at the same time. */
const concurrency = 16

async function formatsOf(files: readonly string[]): Promise<Map<string, ImageFormat | undefined>> {
  const tasks = files.map((file) => async () => [file, await formatOfFile(file)] as const)
  const formats = new Map<string, ImageFormat | undefined>()
  for await (const [file, format] of runAhead(tasks, concurrency, undefined)) formats.set(file, format)
  return formats
}

/**
 * The images among `files`, in the same order: what is one by its content, and what claims to be one by its name. The
 * latter is never passed over in silence but fails when it is decoded: a case that lacks a slice unnoticed would give a
 * wrong diagnosis.
 */
export async function selectImages(files: readonly string[]): Promise<string[]> {
  const formats = await formatsOf(files)
  return files.filter((file) => formats.get(file) !== undefined)
}

/** What a directory holds: the files of scanners, wherever they lie in it, or else pictures. */
export type DirectoryCase =
  | { kind: 'dicom'; files: string[] /** Left out. */; others: string[] }
  | { kind: 'pictures'; files: string[] }

/**
 * The slices of a case: DICOM files, those of all subdirectories too, whatever their names, where the directory holds
 * one itself or holds no pictures; else its pictures, in natural name order. Hidden files are skipped.
 */
export async function listCase(directory: string): Promise<DirectoryCase> {
  const { files, directories } = await listDirectory(directory)
  const formats = await formatsOf(files)
  const pictures = files.filter((file) => formats.get(file) !== undefined)
  const found = new Set(formats.values())
  if (found.has('DICOM') || (pictures.length === 0 && directories.length > 0)) {
    const { dicom, others } = await findDicomFiles(directory, formats)
    if (dicom.length > 0) return { kind: 'dicom', files: dicom, others }
  }
  if (found.has('NIfTI') && pictures.length > 1) {
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

/** A DICOMDIR is an index of the others, and is not trusted to be complete. `known`: of files that were looked at. */
async function findDicomFiles(
  directory: string,
  known: ReadonlyMap<string, ImageFormat | undefined>,
): Promise<{ dicom: string[]; others: string[] }> {
  const files = (await walk(directory)).filter((file) => basename(file).toUpperCase() !== 'DICOMDIR')
  const formats = new Map([...known, ...(await formatsOf(files.filter((file) => !known.has(file))))])
  const isDicom = (file: string) => formats.get(file) === 'DICOM'
  return { dicom: files.filter(isDicom), others: files.filter((file) => !isDicom(file)) }
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
