// Packages without types of their own: Cornerstone's WebAssembly codecs, whose interface `codecs.ts` describes.
declare module '@cornerstonejs/codec-charls/decodewasmjs'
declare module '@cornerstonejs/codec-openjpeg/decodewasmjs'
declare module '@cornerstonejs/codec-openjph/wasmjs'
