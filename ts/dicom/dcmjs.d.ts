// dcmjs has no types of its own: what `write.ts` takes of it.
declare module 'dcmjs' {
  export const data: {
    DicomMetaDictionary: {
      /** Elements by tag, from values by keyword. */
      denaturalizeDataset(dataset: Record<string, unknown>): Record<string, unknown>
    }
    DicomDict: new (
      meta: Record<string, unknown>,
    ) => {
      dict: Record<string, unknown>
      write(options?: { fragmentMultiframe?: boolean }): ArrayBuffer
    }
  }
}
