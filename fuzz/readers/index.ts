import type { Reader } from '../reader'
import { dicom } from './dicom'
import { nifti } from './nifti'

export const readers: readonly Reader[] = [dicom, nifti]
