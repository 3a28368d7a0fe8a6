// Packages without types of their own: Cornerstone's WebAssembly codecs, whose interface `codecs.ts` describes.
declare module '@cornerstonejs/codec-charls/decodewasmjs'
declare module '@cornerstonejs/codec-openjpeg/decodewasmjs'
declare module '@cornerstonejs/codec-openjph/wasmjs'

// What `text.ts` takes of it.
declare module 'dicom-character-set' {
  /** Throws for a character set that DICOM does not define; what is not of the set becomes U+FFFD. */
  export function convertBytes(characterSet: string, bytes: Uint8Array, options: { vr: string }): string
}
