/** The size that a compressed frame claims. */
export interface CodestreamHeader {
  width: number
  height: number
}

/**
 * Reads what a JPEG, JPEG-LS or JPEG 2000 codestream claims; undefined where it has no header (ISO 10918-1, B.2.2;
 * ISO 14495-1, C.2.2; ISO 15444-1, A.5.1).
 */
export function readCodestreamHeader(bytes: Uint8Array): CodestreamHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 4 || bytes[0] !== 0xff) return undefined
  if (bytes[1] === 0x4f) return readSize(view)
  return bytes[1] === 0xd8 ? readFrameHeader(view) : undefined
}

/** JPEG 2000: the size marker segment comes first. */
function readSize(view: DataView): CodestreamHeader | undefined {
  if (view.byteLength < 24 || view.getUint16(2) !== 0xff51) return undefined
  return {
    width: view.getUint32(8) - view.getUint32(16),
    height: view.getUint32(12) - view.getUint32(20),
  }
}

/** JPEG and JPEG-LS: marker segments up to the frame's header, SOF0 to SOF15 or SOF55. */
function readFrameHeader(view: DataView): CodestreamHeader | undefined {
  let position = 2
  while (position + 9 < view.byteLength) {
    if (view.getUint8(position) !== 0xff) return undefined
    const marker = view.getUint8(position + 1)
    if (marker === 0xff) {
      position++ // a fill byte
      continue
    }
    const isTable = marker === 0xc4 || marker === 0xc8 || marker === 0xcc
    if ((marker >= 0xc0 && marker <= 0xcf && !isTable) || marker === 0xf7) {
      return {
        height: view.getUint16(position + 5),
        width: view.getUint16(position + 7),
      }
    }
    position += 2 + view.getUint16(position + 2)
  }
  return undefined
}
