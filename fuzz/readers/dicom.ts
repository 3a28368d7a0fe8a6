import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import { ctElements, ctSlice, encodeDicom, encodeElement } from '../../test/api/dicom-files'
import { type DicomHeader, readDicomFrame, readDicomHeaders, readDicomStudy } from '../../ts/dicom/file'
import { stackSeries } from '../../ts/dicom/series'
import { type Reader, readOrRefused } from '../reader'

const slice = { number: 1, position: [0, 0, 0] as const }

/** Programs of DCMTK and GDCM that compress a file. */
const compressions: readonly (readonly string[])[] = [
  ['dcmcrle'],
  ['dcmcjpeg', '+e1'],
  ['dcmcjpeg', '+eb', '+fo'],
  ['dcmcjpls'],
]

let files = 0

/** From the file's bytes to the values of its first frames, and to a place in a series. */
export const dicom: Reader = {
  name: 'dicom',
  longest: 8192,
  seeds() {
    const plain = ctSlice(slice)
    const deflated = encodeDicom(ctElements(slice), '1.2.840.10008.1.2.1.99', (elements) =>
      deflateRawSync(Buffer.concat(elements.map(encodeElement))),
    )
    return [plain, deflated, plain.subarray(128), ...compressions.flatMap((one) => compressed(plain, one))]
  },
  async read(bytes) {
    const file = { id: files++, source: { bytes }, name: 'a file', label: 'a file', maxPixels: 2 ** 20 }
    await readOrRefused(() => readDicomStudy(file))
    const header = await readOrRefused(async () => {
      const [outcome] = await readDicomHeaders({ name: file.name, files: [file] })
      if ('value' in outcome!) return outcome.value
      throw outcome
    })
    if (!header) return
    const { frames } = header
    stackSeries(frames.map((frame, index) => ({ file, header, index, frame, label: file.label })))
    for (let index = 0; index < Math.min(2, frames.length); index++) {
      const frame = await readOrRefused(() => readDicomFrame({ ...file, index }))
      if (frame) checkSize(frame.data.length, header)
    }
  },
}

function checkSize(values: number, { rows, columns }: DicomHeader): void {
  if (values !== rows * columns) throw new Error(`a frame of ${rows} × ${columns} has ${values} values`)
}

/** None where the program is not installed. */
function compressed(plain: Uint8Array, [program, ...options]: readonly string[]): Uint8Array[] {
  const folder = mkdtempSync(join(tmpdir(), 'jcs-fuzz-'))
  const [from, to] = [join(folder, 'from'), join(folder, 'to')]
  try {
    writeFileSync(from, plain)
    execFileSync(program!, [...options, from, to], { stdio: 'ignore' })
    return [readFileSync(to)]
  } catch {
    return []
  } finally {
    rmSync(folder, { recursive: true })
  }
}
