import type { DecodedImage } from '../images'
import { callNative, callNativeNow, type NativeSlice, type NativeSliceStore } from '../native'

/**
 * Decoded slices, copied once to the native side and known by their index from then on. Memory is bounded: what is
 * beyond 256 MiB lies in a file without a name. Freed with the last of its uses, or slice by slice.
 */
export class SliceStore {
  readonly native: NativeSliceStore = callNativeNow(({ NativeSliceStore }) => new NativeSliceStore())

  get size(): number {
    return this.native.size
  }

  /**
   * Gives the slice's index, and uses up its pixels: their buffers may be freed. What it waits for is the disk, and only
   * beyond the limit of memory; one append at a time keeps that limit.
   *
   * @throws JcsError INVALID_ARGUMENT, NOT_FINITE, SHAPE_MISMATCH, INPUT_TOO_LARGE, DISK_FULL, FILE_UNWRITABLE
   */
  async append(slice: NativeSlice): Promise<number> {
    const index = callNativeNow(() => this.native.append(slice))
    if (this.native.isOverLimit) await callNative(() => this.native.spill())
    return index
  }

  /** A copy of the pixels, as they were decoded. @throws JcsError INVALID_ARGUMENT, DISPOSED, FILE_UNREADABLE */
  read(index: number): Promise<DecodedImage> {
    return callNative(() => this.native.read(index))
  }

  /** Frees what slices [first, end) take; their indices stay taken. */
  release(first: number, end: number): void {
    callNativeNow(() => this.native.release(first, end))
  }
}
