/** How a file's data set and its pixels are written (DICOM PS3.5, annex A; UIDs in PS3.6, annex A). */
export interface TransferSyntax {
  /** As people call it, for messages. */
  name: string
  /** What the pixels are compressed with; absent where they are stored as they are. */
  codec?: 'rle' | 'jpeg' | 'jpeg-lossless' | 'jpeg-ls' | 'jpeg-2000' | 'htj2k'
  isImplicit?: boolean
  isBigEndian?: boolean
  isDeflated?: boolean
}

export const explicitLittleEndian = '1.2.840.10008.1.2.1'
export const rleLossless = '1.2.840.10008.1.2.5'

const transferSyntaxes: Readonly<Record<string, TransferSyntax>> = {
  '1.2.840.10008.1.2': { name: 'Implicit VR Little Endian', isImplicit: true },
  [explicitLittleEndian]: { name: 'Explicit VR Little Endian' },
  '1.2.840.10008.1.2.1.99': { name: 'Deflated Explicit VR Little Endian', isDeflated: true },
  '1.2.840.10008.1.2.2': { name: 'Explicit VR Big Endian', isBigEndian: true },
  '1.2.840.10008.1.2.4.50': { name: 'JPEG Baseline (Process 1)', codec: 'jpeg' },
  '1.2.840.10008.1.2.4.51': { name: 'JPEG Extended (Process 2 and 4)', codec: 'jpeg' },
  '1.2.840.10008.1.2.4.53': { name: 'JPEG Spectral Selection (Process 6 and 8)', codec: 'jpeg' },
  '1.2.840.10008.1.2.4.55': { name: 'JPEG Full Progression (Process 10 and 12)', codec: 'jpeg' },
  '1.2.840.10008.1.2.4.57': { name: 'JPEG Lossless (Process 14)', codec: 'jpeg-lossless' },
  '1.2.840.10008.1.2.4.70': { name: 'JPEG Lossless (Process 14, SV1)', codec: 'jpeg-lossless' },
  '1.2.840.10008.1.2.4.80': { name: 'JPEG-LS Lossless', codec: 'jpeg-ls' },
  '1.2.840.10008.1.2.4.81': { name: 'JPEG-LS Near-Lossless', codec: 'jpeg-ls' },
  '1.2.840.10008.1.2.4.90': { name: 'JPEG 2000 Lossless', codec: 'jpeg-2000' },
  '1.2.840.10008.1.2.4.91': { name: 'JPEG 2000', codec: 'jpeg-2000' },
  '1.2.840.10008.1.2.4.201': { name: 'High-Throughput JPEG 2000 Lossless', codec: 'htj2k' },
  '1.2.840.10008.1.2.4.202': { name: 'High-Throughput JPEG 2000 Lossless RPCL', codec: 'htj2k' },
  '1.2.840.10008.1.2.4.203': { name: 'High-Throughput JPEG 2000', codec: 'htj2k' },
  [rleLossless]: { name: 'RLE Lossless', codec: 'rle' },
}

export function findTransferSyntax(uid: string): TransferSyntax | undefined {
  return Object.hasOwn(transferSyntaxes, uid) ? transferSyntaxes[uid] : undefined
}
