// Runs in the threads of ts/threads/pool.ts: whatever reads a volume that came from outside does it here.
import { move, transferableSymbol, valueSymbol } from 'piscina'
import {
  type DicomFrameTask,
  type DicomHeader,
  type DicomHeadersTask,
  type DicomStudyTask,
  readDicomFrame,
  readDicomHeaders,
  readDicomStudy,
  type SourceStudy,
} from '../dicom/file'
import { type DicomRestampTask, restampDicom } from '../dicom/restamp'
import { type NiftiHeader, type NiftiTask, readNiftiHeader, readNiftiVolume } from '../nifti/file'
import { type Outcome, outcomeOf } from '../threads/outcome'

export function dicomHeaders(task: DicomHeadersTask): Promise<Outcome<Outcome<DicomHeader>[]>> {
  return outcomeOf(() => readDicomHeaders(task))
}

export function dicomFrame(task: DicomFrameTask): Promise<unknown> {
  return handedOver(() => readDicomFrame(task))
}

export function dicomStudy(task: DicomStudyTask): Promise<Outcome<SourceStudy>> {
  return outcomeOf(() => readDicomStudy(task))
}

export function dicomRestamp(task: DicomRestampTask): Promise<unknown> {
  return handedOver(() => restampDicom(task))
}

export function niftiHeader(task: NiftiTask): Promise<Outcome<NiftiHeader>> {
  return outcomeOf(() => readNiftiHeader(task))
}

export function niftiVolume(task: NiftiTask): Promise<unknown> {
  return handedOver(() => readNiftiVolume(task))
}

/** An outcome whose `data` is handed over, not copied. */
async function handedOver(work: () => Promise<{ data: ArrayBufferView }>): Promise<unknown> {
  const outcome = await outcomeOf(work)
  if (!('value' in outcome)) return outcome
  return move({ [transferableSymbol]: outcome.value.data.buffer, [valueSymbol]: outcome })
}
